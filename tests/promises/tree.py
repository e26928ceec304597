"""What is read of a checkout: the tree's wing."""

from __future__ import annotations

from promises import Break

BREAKS = (
    Break(
        "a version that is readable once and not again is one error",
        "distillpatch/tree/checkout.py",
        "    if release is None:\n        raise CheckoutError(",
        "    assert release is not None\n    if not release:\n        raise CheckoutError(",
        "checkout::once_and_not_again",
    ),
    Break(
        "a git that is in the checkout is not run",
        "distillpatch/tree/programs.py",
        "        if Path(folder).is_absolute() and real != here and not is_inside:\n",
        "        if True:\n",
        "git::in_the_checkout",
    ),
)
