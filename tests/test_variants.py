"""Edited checkouts: patched correctly or refused precisely, never patched wrongly; and taken back to the byte."""

from __future__ import annotations

import math
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import matrix
import pytest
from edits import EDITED, RELEASES, Fate, Files, files_of, insert_above, insert_at_ends, statement_lines
from hypothesis import given
from hypothesis import strategies as st
from sampling import sampled
from variants import EDITS, ENDINGS, FORMATS, KEPT, SHARES, assert_fate, assert_fates, patch

from distillpatch.commands import reach
from distillpatch.engine.plan import PlanError
from distillpatch.wanted import with_set

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize("is_one", SHARES)
@pytest.mark.parametrize("name", [name for name, edit in EDITS.items() if not edit.number])
def test_edited_checkouts(name: str, is_one: bool) -> None:
    assert_fates(name, EDITS[name], is_one)


@pytest.mark.parametrize("release", ["8.3.200", "8.4.190"])
def test_added_code_is_formatted_as_the_release_is(release: str, tmp_path: Path) -> None:
    command = ["ruff", "format", "--isolated", "--line-length=120", "--diff", str(tmp_path)]
    for files in (files_of(release), patch(files_of(release))[0]):
        assert files is not None
        for path, content in files.items():
            (tmp_path / Path(path).name).write_bytes(content)
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "")


ENDS = st.sampled_from([None, *ENDINGS])
STYLES = st.sampled_from([None, *FORMATS])


@pytest.mark.slow  # each edit is tried alone, above and in test_modifications.py
@given(
    release=st.sampled_from(RELEASES),
    names=st.lists(st.sampled_from(sorted(KEPT)), unique=True, max_size=6),
    style=STYLES,
    ending=ENDS,
)
def test_edits_of_a_kind_go_together(release: str, names: Sequence[str], style: str | None, ending: str | None) -> None:
    files = files_of(release)
    for name in (*names, style, ending):
        files = EDITS[name].change(files) if name else files
    fates = {EDITS[name].fate for name in names}
    with tempfile.TemporaryDirectory() as folder:
        tree, copy = (edited_tree(release, Path(folder) / name, files) for name in ("tree", "copy"))
        try:
            found = matrix.round_trip(tree, copy)
        except PlanError:
            assert Fate.EITHER in fates
            return
    assert found.failures == ()


def edited_tree(release: str, folder: Path, files: Files) -> Path:
    """Return a checkout of a release with edited files."""
    matrix.unpack_part(release, folder)
    for path, content in files.items():
        (folder / path).write_bytes(content)
    return folder


SHARES = 6


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("release", sampled(RELEASES, "8.2.50", RELEASES[-1]))
def test_logging_above_each_statement(release: str, share: int) -> None:
    """Each statement gets its line of logging in one of the shares, and most of its neighbours in others."""
    files = dict(files_of(release))
    for path in EDITED:
        text = files[path].decode()
        for line in reversed(statement_lines(text)[share::SHARES]):
            text = insert_above(text, line, 'print("here")')
        files[path] = text.encode()
    assert_fate(files, Fate.PATCHED)


@pytest.mark.parametrize("release", RELEASES)
def test_logging_at_the_end_of_each_block(release: str) -> None:
    line = 'print("here")'
    files = {path: insert_at_ends(content.decode(), line).encode() for path, content in files_of(release).items()}
    assert all(files[path].count(line.encode()) > 5 for path in EDITED)
    assert_fate(files, Fate.PATCHED)


@pytest.mark.slow  # each statement has its line of logging above it in one of the tests above
@given(release=st.sampled_from(RELEASES), path=st.sampled_from(EDITED), data=st.data())
def test_logging_anywhere(release: str, path: str, data: st.DataObject) -> None:
    text = files_of(release)[path].decode()
    lines = data.draw(st.lists(st.sampled_from(statement_lines(text)), unique=True, min_size=1, max_size=40))
    for line in sorted(lines, reverse=True):
        text = insert_above(text, line, 'print("here")')
    assert_fate({**files_of(release), path: text.encode()}, Fate.PATCHED)


# Edits that do not only compile but run, where what they name is there.
TRAINED = {
    "8.0.150": ("more attributes", "a parameter", "an argument of the optimizer", "tabs", "CRLF"),
    "8.3.200": ("more attributes", "any parameters by keyword", "a last argument of the optimizer", "2 spaces"),
    "8.4.190": ("more attributes", "hints on the attributes", "logging above the anchors", "a subclass that overrides"),
}


@pytest.mark.training
@pytest.mark.parametrize("release", TRAINED)
def test_an_edited_checkout_trains(release: str, checkout: Callable[[str], Path], digits: Path, tmp_path: Path) -> None:
    from lessons import COLUMNS, lesson, results

    tree = checkout(release)
    files = files_of(release)
    for name in TRAINED[release]:
        files = EDITS[name].change(files)
    for path, content in files.items():
        (tree / path).write_bytes(content)
    reach(matrix.situation(tree).checkout, with_set(matrix.patch_set()))

    run = lesson(
        tree, tmp_path, digits, 'train("run", model_t=save_teacher(), distill_feat_type="cwd", logit_loss=True)'
    )
    (row,) = results(run, "run").rows
    losses = dict(zip(results(run, "run").columns, row, strict=True))
    assert all(math.isfinite(loss) for loss in row)
    assert losses[COLUMNS[0]] > 0 and losses[COLUMNS[2]] > 0
