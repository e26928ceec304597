"""The arguments of distillation are train arguments."""

from __future__ import annotations

import ast
import re
from types import SimpleNamespace

from edits import Edit, Fate, on_statements, removed, renamed, sub
from promises import Break
from spelling import Place, Spelling
from statements import CFG, INIT, Patched, Sabotage, fail, function_of, in_order, text_of


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    checkout.imports(CFG, "DISTILL_ARGS", "complete_argument", "refuse_outside_training")
    _bare_arguments(checkout)
    _defaults(checkout)
    check = checkout.scope(CFG, "check_dict_alignment", "check_cfg_mismatch")
    joined = check.one(r"(\w+) = \{\*\1, \*DISTILL_ARGS\}$")
    base, place = joined.text.split()[0], joined
    if check.name != "check_cfg_mismatch":  # which is for the arguments of runs alone
        place = joined.around[-1] if joined.around else joined
        if place.text != "if 'mode' in base:" or len(joined.block) != 1:
            fail(f"expected the settings of ultralytics to be left alone, line {joined.line}")
    mismatched = [node for node in ast.walk(check.node) if isinstance(node, ast.comprehension) and node.ifs]
    tests = [test for node in mismatched for test in node.ifs if re.search(rf"not in {base}\b", text_of(test))]
    if place.around or not tests:
        fail(f"expected {base} to be what the arguments are compared with")
    in_order(("DISTILL_ARGS", joined.line), ("the comparison", min(test.lineno for test in tests)))
    if check.one(r"refuse_outside_training\(custom\)$").beside(1) != place.beside(-1):
        fail("expected the mode to be looked at directly before the keys")
    if not re.match(rf"{base}, \w+ = ", place.beside(-1)):
        fail(f"expected it directly after the keys, not after {place.beside(-1)!r}")
    return f"{check.name}: {place.beside(-1)} ... {place.beside(1)}"


def _defaults(checkout: Patched) -> None:
    """Ask the namespace of a run's arguments for one that is not given."""
    checkout.imports(INIT, "DISTILL_ARGS", "default_argument")
    names = {"DISTILL_ARGS": ("logit_loss",), "default_argument": lambda *given: given, "DEFAULT_CFG_PATH": ""}
    missing, args = function_of(checkout.scope(INIT, "IterableSimpleNamespace.__getattr__"), **names), SimpleNamespace()
    try:
        given = missing(args, "logit_loss")
    except AttributeError:
        given = None
    if given != (args, "logit_loss"):
        fail("expected an argument of distillation that is not given to have its default")


def _bare_arguments(checkout: Patched) -> None:
    """Require an argument of the command line to be completed before it is split at its equals sign."""
    entrypoint = checkout.scope(CFG, "entrypoint")
    completed, split = entrypoint.one(r"a = complete_argument\(a\)$"), entrypoint.one(r"if '=' in a:")
    if completed.around != split.around or completed.index > split.index:
        fail(f"expected complete_argument before \"if '=' in a\", not before {completed.beside(1)!r}")


SABOTAGE = {
    "the arguments join after the comparison": Sabotage(
        CFG,
        r"(?s)( +if \"mode\" in base:[^\n]*\n)( +base_keys = \{\*[^\n]*\n)(.*?)( +from difflib)",
        r"\3    \1    \2\4",
    ),
    "an argument that is not given has no default": Sabotage(INIT, r"return default_argument\(self, attr\)", "pass"),
    "the mode is not looked at": Sabotage(CFG, r" +refuse_outside_training\(custom\)\n", ""),
    "the settings take the arguments, too": Sabotage(CFG, r'if "mode" in base:', "if base:"),
}

_MISMATCHED = Place(CFG, r"if [kx] not in base(?:_keys)?(?P<here>)")
_RAISE = Place(
    CFG, r"^ +if (?:mismatched|\(?mismatched := .*):\n(?:.*\n)+?(?P<here>(?P<indent> +)raise SyntaxError\(string.*\n)"
)
_COMPARED = Place(CFG, r"^(?P<here>)(?P<indent> +)(?:mismatched = |if \(?mismatched := )")
_OVERRIDES = Place(CFG, r"^(?P<indent> +)overrides = cfg2dict\(overrides\)\n(?P<here>)")

BY_HAND = {
    "the tutorial's": Spelling(_RAISE, "# raise SyntaxError(string + CLI_HELP_MSG) from e"),
    "pass": Spelling(_RAISE, "pass"),
    "return": Spelling(_RAISE, "return"),
    "print": Spelling(_RAISE, "print(string)"),
    "a warning": Spelling(_RAISE, "LOGGER.warning(string)"),
    "a warning, and return": Spelling(_RAISE, "LOGGER.warning(string)\nreturn"),
    "a loop over warnings": Spelling(_RAISE, "for line in string.splitlines(): LOGGER.warning(line)\npass"),
    "a warning, and return None": Spelling(_RAISE, "LOGGER.warning(string)\nreturn None"),
    "a condition that never holds": Spelling(_RAISE, "if False:\n    raise SyntaxError(string)"),
    "an early return": Spelling(_COMPARED, "return"),
    "the teacher taken out before": Spelling(_OVERRIDES, 'overrides.pop("model_t", None)'),
    "the teacher let through": Spelling(_MISMATCHED, ' and {"model_t"}.isdisjoint(custom)'),
}


EDITS = {
    "check_dict_alignment renamed": renamed(CFG, "check_dict_alignment"),
    "no keys to compare": removed(CFG, r"base_keys, custom_keys = "),
    "the keys in lists": Edit(
        sub(CFG, r"(base_keys, custom_keys = \()(?:frozen)?set\(x\.keys\(\)\)", r"\1list(x.keys())"), Fate.PATCHED
    ),
    "the arguments are not compared": Edit(
        on_statements(CFG, r"check_(dict_alignment|cfg_mismatch)\(cfg", lambda indent, _: [f"{indent}pass\n"]),
        Fate.REFUSED,
    ),
    "the arguments are compared if one likes": Edit(
        sub(CFG, r"^( +)(check_(?:dict_alignment|cfg_mismatch)\(cfg.*)$", r"\1if cfg.get('strict'):\n\1    \2"),
        Fate.REFUSED,
    ),
}

PATCH = "patches/13-train-arguments.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "a line of the owner's may end any block",
        PATCH,
        "          raise $ERROR from $CAUSE\n      ...\n",
        "          raise $ERROR from $CAUSE\n",
        "variants::end_of_each_block",
    ),
    Break(
        "the function that compares arguments is called",
        PATCH,
        "      check_dict_alignment($BASE, overrides)\n",
        "",
        "modifications::around_it and compared",
    ),
    Break(
        "an argument that is not given can be tuned",
        PATCH,
        "+     return default_argument(self, attr)\n",
        "+     pass\n",
        "arguments::can_be_tuned and 8.2.50",
    ),
    Break(
        "arguments of distillation are refused outside of a training",
        PATCH,
        "+     refuse_outside_training(custom)\n",
        "+     refuse_outside_training({})\n",
        "arguments::outside_of_a_training and 8.2.50",
    ),
    Break(
        "misspelt arguments are refused with suggestions",
        PATCH,
        "+         base_keys = {*base_keys, *DISTILL_ARGS}",
        "+         custom_keys = base_keys",
        "bad_input::makes_no_sense and 8.2.50",
    ),
    Break(
        "a bare boolean on the command line counts",
        PATCH,
        "+     a = complete_argument(a)\n",
        "+     complete_argument(a)\n",
        "tutorial_script::command_line_takes and 8.4.190",
    ),
)
