"""Edits made by hand are taken out on request, and what is left is the release's own code."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import by_hand
import landings
import matrix
import pytest
from click.testing import CliRunner, Result
from hunks import built_in, pristine
from spelling import Files, Spelling
from trees import everything

from distillpatch.cli import main
from distillpatch.engine.plan import paths
from distillpatch.engine.stack import Stack, plan_in_order
from distillpatch.engine.trees import digest

pytestmark = pytest.mark.one_python

RELEASES = ("8.2.50",)

WHOLE = (
    *by_hand.tutorial(range(2, 16)),
    by_hand.SPELLINGS[10]["only the places"],
    by_hand.SPELLINGS[14]["only the places"],
)
"""All that the tutorial edits: the number of places of a row, and of a header, has a spelling of its own."""


def stack_of(files: Files, release: str, *, replace: bool = True) -> Stack:
    """Return the plan for a checkout with edits made by hand."""
    return plan_in_order([built_in()], files.get, release, replace_hand_edits=replace)


def meaning(files: Files) -> dict[str, str]:
    """Return what the files mean, however they are laid out."""
    return {path: digest(ast.parse(content)) for path, content in files.items() if content is not None}


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


@pytest.mark.parametrize("release", RELEASES)
def test_the_whole_tutorial_is_taken_out(release: str) -> None:
    assert_taken_out(release, WHOLE)
    assert set(paths(built_in())) == set(pristine(release))


def hand_patched(release: str, root: Path) -> Path:
    """Write a release with the whole tutorial made by hand, as far as distillpatch looks at it."""
    tree = matrix.unpack_part(release, root / "tree")
    for path, content in by_hand.edited(pristine(release), WHOLE)[0].items():
        if content is not None:
            (tree / path).write_bytes(content)
    return tree


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize("release", RELEASES)
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
