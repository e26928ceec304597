"""Edits made by hand are taken out on request, and what is left is the release's own code."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import by_hand
import landings
import matrix
import pytest
from click.testing import CliRunner, Result
from hunks import built_in, patch_set, pristine
from sampling import sampled
from spelling import Files, Spelling
from statements import TRAINER
from trees import everything
from variants import ENDINGS, FORMATS

from distillpatch.cli import main
from distillpatch.engine.hand_edits import take_out
from distillpatch.engine.plan import PlanError, is_made_by_hand, paths
from distillpatch.engine.stack import Stack, plan_in_order
from distillpatch.engine.trees import digest

pytestmark = pytest.mark.one_python

RELEASES = ("8.0.237", "8.1.42", "8.2.24", "8.2.50", "8.2.103", "8.3.63", "8.3.161", "8.3.176", "8.4.100", "8.4.190")
"""Releases that people have edited by hand, and the newest."""

SOME = sampled(RELEASES, "8.2.50")
FEW = sampled(RELEASES, "8.0.237", "8.4.190")

WHOLE = (
    *by_hand.tutorial(range(2, 16)),
    by_hand.SPELLINGS[10]["only the places"],
    by_hand.SPELLINGS[14]["only the places"],
)
"""All that the tutorial edits: the number of places of a row, and of a header, has a spelling of its own."""


def stack_of(files: Files, release: str, *, replace: bool = True) -> Stack:
    """Return the plan for a checkout with edits made by hand."""
    return plan_in_order([built_in()], files.get, release, replace_hand_edits=lambda: replace)


def meaning(files: Files) -> dict[str, str]:
    """Return what the files mean, however they are laid out."""
    return {path: _meaning_of(content) for path, content in files.items() if content is not None}


@functools.cache
def _meaning_of(content: bytes) -> str:
    return digest(ast.parse(content))


def after(stack: Stack) -> Files:
    """Return the files that a plan leaves."""
    return {change.path: change.after for change in stack.require().changes}


def assert_taken_out(release: str, edits: Iterable[Spelling]) -> Stack:
    """Assert that edits are taken out to the release's own code, and that the patched release follows."""
    files, lines = by_hand.edited(pristine(release), edits)
    assert lines, "nothing was edited"
    stack = stack_of(files, release)
    (plan,) = stack.require().plans
    assert plan.removal is not None
    assert meaning(plan.removal.files) == meaning(pristine(release))
    assert meaning(after(stack)) == meaning(after(stack_of(pristine(release), release)))
    assert {change.path: change.before for change in stack.changes} == {path: files[path] for path in after(stack)}
    return stack


@pytest.mark.parametrize("release", FEW)
def test_the_whole_tutorial_is_taken_out(release: str) -> None:
    assert_taken_out(release, WHOLE)
    assert set(paths(built_in())) == set(pristine(release))


def hand_patched_files(release: str) -> Files:
    """Return the files of a release with the whole tutorial made by hand."""
    return by_hand.edited(pristine(release), WHOLE)[0]


def hand_patched(release: str, root: Path) -> Path:
    """Write a release with the whole tutorial made by hand, as far as distillpatch looks at it."""
    tree = matrix.unpack_part(release, root / "tree")
    for path, content in hand_patched_files(release).items():
        if content is not None:
            (tree / path).write_bytes(content)
    return tree


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize("release", SOME)
def test_a_hand_patched_checkout_is_patched_and_reverted(release: str, tmp_path: Path) -> None:
    tree = hand_patched(release, tmp_path)
    before = everything(tree)
    refused = run("apply", tree)
    assert refused.exit_code == 1 and "distillpatch apply --replace-hand-edits" in refused.output
    shown = run("diff", tree, "--replace-hand-edits").stdout_bytes
    assert everything(tree) == before
    assert run("apply", tree, "--replace-hand-edits").exit_code == 0
    patched = {path: content for path in paths(built_in()) if (content := (tree / path).read_bytes())}
    assert landings.examine(patched).failures == ()
    assert run("diff", tree).stdout_bytes == shown != b""
    assert run("apply", tree).output.endswith("\n") and "Nothing to do" in run("apply", tree).output
    assert "OK" in run("status", tree).output and "by hand" not in run("status", tree).output
    assert run("revert", tree).exit_code == 0
    assert everything(tree) == before


def taken_out(files: Files) -> Files:
    """Return files without the edits made by hand."""
    removal = take_out(built_in(), files, {})
    assert removal.edits and not removal.obstacles
    return removal.files


def refusal(files: Files) -> list[str]:
    """Return the lines for which edits made by hand cannot be taken out."""
    with pytest.raises(PlanError, match="--replace-hand-edits cannot take them out") as caught:
        stack_of(files, "edited").require()
    return re.findall(r"(?m)^  \S+?:(\d+: .*)$", str(caught.value).partition("cannot take them out")[2])


@pytest.mark.parametrize("release", SOME)
def test_each_edit_is_taken_out_alone(release: str) -> None:
    for number in range(2, 16):
        files, lines = by_hand.edited(pristine(release), by_hand.tutorial([number]))
        assert lines and meaning(taken_out(files)) == meaning(pristine(release)), number


@pytest.mark.parametrize("release", SOME)
def test_each_beginning_of_the_tutorial_is_taken_out(release: str) -> None:
    for last in range(3, 15):
        files, _ = by_hand.edited(pristine(release), by_hand.tutorial(range(2, last + 1)))
        assert meaning(taken_out(files)) == meaning(pristine(release)), last


@pytest.mark.parametrize("style", sampled([*FORMATS, *ENDINGS], "tabs", "2 spaces", "CRLF"))
def test_a_reformatted_checkout_is_the_release_again(style: str) -> None:
    files, _ = by_hand.edited(pristine("8.2.50"), WHOLE)
    texts = {path: content for path, content in files.items() if content is not None}
    restyled = {**files, **{**FORMATS, **ENDINGS}[style].change(texts)}
    assert meaning(taken_out(restyled)) == meaning(pristine("8.2.50"))


@pytest.mark.parametrize("release", SOME)
@pytest.mark.parametrize("number", range(2, 16))
def test_every_spelling_is_taken_out_or_refused(number: int, release: str) -> None:
    for name, edit in by_hand.SPELLINGS[number].items():
        files, lines = by_hand.edited(pristine(release), [edit])
        removal = take_out(built_in(), files, {})
        is_refused = removal.obstacles or is_made_by_hand(built_in(), removal.files.get)
        if lines and not is_refused and name != "by keyword":  # which has a parameter of its owner's as well
            assert meaning(removal.files) == meaning(pristine(release)), name


@pytest.mark.parametrize("release", FEW)
def test_a_release_has_nothing_to_take_out(release: str) -> None:
    removal = take_out(built_in(), pristine(release), {})
    assert (removal.edits, removal.obstacles, removal.files) == ((), (), pristine(release))


# The owner's own lines ----------------------------------------------------------------------------------------------

OWN = 'LOGGER.info("mine")'


def with_own_lines(files: Files, line: str, *, below: bool) -> Files:
    """Add a line of the owner's above, or below, each statement of the trainer that has a certain beginning."""
    indented = rf"\1{OWN}\n\1\2" if not below else rf"\1\2\n\1{OWN}"
    text = re.sub(rf"(?m)^( +)({line}.*)$", indented, (files[TRAINER] or b"").decode())
    assert OWN in text
    return {**files, TRAINER: text.encode()}


@pytest.mark.parametrize("below", [False, True])
def test_the_owners_lines_beside_an_edit_stay(below: bool) -> None:
    owned = with_own_lines(pristine("8.2.50"), r"(?:self\.plot_idx = |self\.scaler\.step)", below=below)
    assert meaning(taken_out(by_hand.edited(owned, WHOLE)[0])) == meaning(owned)


@pytest.mark.parametrize(
    ("line", "modification"),
    [
        (r"v\.requires_grad = ", 3),
        (r"self\.model_t = de_parallel", 6),
        (r"tea_features = ", 9),
        (r"if isinstance\(v, bn\):  # weight \(no decay\)", 12),
    ],
)
def test_the_owners_line_inside_an_edit_is_refused(line: str, modification: int) -> None:
    edit = by_hand.tutorial([modification])[0]
    owned = replace(edit, code=re.sub(rf"(?m)^( +)(?={line})", rf"\1{OWN}\n\1", dedent(edit.code)))
    files, _ = by_hand.edited(pristine("8.2.50"), [owned])
    number = (files[TRAINER] or b"").decode().partition(OWN)[0].count("\n") + 1
    (told,) = refusal(files)
    assert told.startswith(f"{number}: '{OWN}' is yours, and in lines ")


def test_the_owners_block_around_an_edit_is_refused() -> None:
    files, _ = by_hand.edited(pristine("8.2.50"), by_hand.tutorial([7]))
    text = (files[TRAINER] or b"").decode()
    owned = re.sub(
        r"(?m)^( +)(if self\.model_t is not None:)\n( +)(self\.model_t\.eval\(\))",
        r"\1if epoch > 3:\n\1    \2\n\1        \4",
        text,
    )
    number = owned[: owned.index("if epoch > 3:")].count("\n") + 1
    assert refusal({**files, TRAINER: owned.encode()}) == [
        f"{number}: nothing would be left below 'if epoch > 3:': remove this line, or write 'pass' below it"
    ]
    passed = owned.replace("if epoch > 3:\n", "if epoch > 3:\n                pass\n")
    without = (
        (pristine("8.2.50")[TRAINER] or b"")
        .decode()
        .replace(
            "            self.model.train()\n",
            "            if epoch > 3:\n                pass\n            self.model.train()\n",
        )
    )
    assert meaning(taken_out({**files, TRAINER: passed.encode()}))[TRAINER] == digest(ast.parse(without))


def test_an_else_of_the_owners_is_refused() -> None:
    files, _ = by_hand.edited(pristine("8.2.50"), by_hand.tutorial([7]))
    text = (files[TRAINER] or b"").decode()
    owned = re.sub(r"(?m)^( +)(    self\.model_t\.eval\(\))\n", rf"\1\2\n\1else:\n\1    {OWN}\n", text)
    assert len(refusal({**files, TRAINER: owned.encode()})) == 1


@pytest.mark.parametrize("line", ["LOGGER.info(tea_features)", "self.loss += 2 * self.featureloss"])
def test_what_uses_an_edit_is_refused(line: str) -> None:
    files, _ = by_hand.edited(pristine("8.2.50"), by_hand.tutorial(range(2, 16)))
    text = (files[TRAINER] or b"").decode()
    owned = re.sub(r"(?m)^( +)(# Backward)$", rf"\1{line}\n\1\2", text)
    number = owned[: owned.index(line)].count("\n") + 1
    (told,) = refusal({**files, TRAINER: owned.encode()})
    assert told.startswith(f"{number}: ") and told.endswith("is read here, and only code that would be removed sets it")


def test_values_that_differ_are_reported_as_arguments() -> None:
    files, _ = by_hand.edited(pristine("8.2.50"), WHOLE)
    text = (files[TRAINER] or b"").decode().replace("self.distillonline = False", "self.distillonline = True")
    (plan,) = stack_of({**files, TRAINER: text.encode()}, "8.2.50").require().plans
    assert plan.removal is not None
    assert [edit.report for edit in plan.removal.edits if edit.report] == [
        'distill_recipe="tutorial"',
        "distillonline=True",
        "distill_layers=[2, 4, 6, 8, 12, 15, 18, 21]",
    ]


# Files that are added -----------------------------------------------------------------------------------------------

COPIED = b'''"""Losses that people copy."""


def loss(a, b):
    """Return it."""
    return a - b  # mean
'''
RETYPED = b"def loss(a,b): return (a-b)\n"
ADDED = f"""
    +++ m.py  m.py
    --- n.py
      x = 1
    + y = 2
    <<< n.py
    - z = 3
    <<< m.py  tree {digest(ast.parse(COPIED))}
    !!! n.py
      z
"""


def added(files: Files, package: dict[str, bytes] | None = None, *, replace: bool = True) -> Stack:
    patches = patch_set(ADDED, **{"m.py": "loss = other = None\n"})
    return plan_in_order([patches], files.get, "1", package or {}, replace_hand_edits=lambda: replace)


@pytest.mark.parametrize("content", [COPIED, RETYPED])
def test_a_copied_file_that_nothing_uses_is_replaced_without_asking(content: bytes) -> None:
    files = {"m.py": content, "n.py": b"x = 1\n"}
    assert after(added(files, replace=False)) == {"m.py": b"loss = other = None\n", "n.py": b"x = 1\ny = 2\n"}
    used = added(files, {"k.py": b"from .m import loss\n"}, replace=False)
    assert not used.plans[0].changes and used.plans[0].by_hand


def test_a_copied_file_is_replaced_on_request() -> None:
    files = {"m.py": COPIED, "n.py": b"x = 1\nz = 3\n"}
    assert after(added(files)) == {"m.py": b"loss = other = None\n", "n.py": b"x = 1\ny = 2\n"}


def test_a_file_that_its_owner_extended_is_kept_beside() -> None:
    mine = COPIED + b"\n\ndef mine():\n    pass\n"
    files = {"m.py": mine, "n.py": b"x = 1\nz = 3\n"}
    assert after(added(files, {"k.py": b"from .m import loss\n"})) == {
        "m.py": b"loss = other = None\n",
        "n.py": b"x = 1\ny = 2\n",
        "m_by_hand.py": mine,
    }
    with pytest.raises(PlanError, match=r"k\.py:2: imports mine, which is yours, from m\.py: move it to a module of"):
        added(files, {"k.py": b"import os\nfrom .m import loss, mine\n"}).require()
    with pytest.raises(PlanError, match=r"m_by_hand\.py:1: exists"):
        added(files, {"m_by_hand.py": b""}).require()


EXTRA = """# 1.0  Another.

--- ultralytics/engine/trainer.py  BaseTrainer.__init__
  self.plot_idx = $INDICES
+ self.mine = True
"""


def test_another_patch_set_comes_and_goes_after_edits_were_replaced(tmp_path: Path) -> None:
    tree = hand_patched("8.2.50", tmp_path)
    before = everything(tree)
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "01-extra.patch").write_text(EXTRA)
    assert run("apply", tree, "--replace-hand-edits").exit_code == 0
    once = everything(tree)
    assert run("apply", tree, "--patches", extra).exit_code == 0
    assert "self.mine = True" in (tree / TRAINER).read_text()
    assert run("revert", tree, "--patches", "extra").exit_code == 0
    files = {path: found for path, found in everything(tree).items() if ".distillpatch" not in path}
    assert files == {path: found for path, found in once.items() if ".distillpatch" not in path}
    assert run("revert", tree).exit_code == 0
    assert everything(tree) == before
