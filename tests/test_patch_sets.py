"""A checkout has a list of patch sets: each is added, replaced and reverted by itself; old states are read."""

from __future__ import annotations

import base64
import hashlib
import json
import lzma
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import releases
from trees import everything

from distillpatch.commands import examine, reach
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.places import STATE_DIR
from distillpatch.ledger.undo import Edited
from distillpatch.patch_sets import built_in, load
from distillpatch.tree.checkout import Checkout, locate
from distillpatch.wanted import with_set, without_set

PROJECT = Path(__file__).resolve().parent.parent
EXAMPLE = PROJECT / "docs/example-patches/print-lr"
TRAINER = "ultralytics/engine/trainer.py"

STACKED = ("8.0.136", "8.2.50", "8.3.200", "8.4.190")
OLD_STATES = json.loads(lzma.decompress((Path(__file__).parent / "fixtures/state-0.1.0.json.xz").read_bytes()))


def found(tree: Path) -> Checkout:
    return locate(tree, tree, ())


def names(tree: Path) -> list[str]:
    state = examine(found(tree)).state
    return [applied.name for applied in state.patch_sets] if state else []


@pytest.mark.parametrize("release", STACKED)
def test_each_of_two_sets_is_reverted_by_itself(release: str, checkout: Callable[[str], Path]) -> None:
    tree = checkout(release)
    sets = {"distillation": built_in(), "print-lr": load(EXAMPLE)}
    pristine = everything(tree)
    alone, left = {}, {}
    for first, second in (tuple(sets), tuple(reversed(sets))):
        reach(found(tree), with_set(sets[first]))
        alone[first] = (tree / TRAINER).read_bytes()
        reach(found(tree), with_set(sets[second]))
        assert names(tree) == [first, second]
        reach(found(tree), without_set(first))
        assert names(tree) == [second]
        left[second] = (tree / TRAINER).read_bytes()
        reach(found(tree), without_set(second))
        assert everything(tree) == pristine
    assert left == alone


def test_a_set_that_is_there_is_applied_no_second_time(checkout: Callable[[str], Path]) -> None:
    tree = checkout("8.4.190")
    for patch_set in (built_in(), load(EXAMPLE)):
        reach(found(tree), with_set(patch_set))
    before = everything(tree)
    for patch_set in (load(EXAMPLE), built_in()):
        assert reach(found(tree), with_set(patch_set)).run is None
    assert everything(tree) == before and names(tree) == ["distillation", "print-lr"]


def test_a_set_of_other_patches_takes_the_place_of_the_one_of_its_name(
    checkout: Callable[[str], Path], tmp_path: Path
) -> None:
    tree, changed = checkout("8.4.190"), tmp_path / "changed"
    reach(found(tree), with_set(load(EXAMPLE)))
    shutil.copytree(EXAMPLE, changed)
    patch = changed / "02-print.patch"
    patch.write_text(patch.read_text(encoding="utf-8").replace("learning rates: ", "rates: "), encoding="utf-8")
    command = [sys.executable, "-m", "distillpatch"]
    shown = subprocess.run([*command, "diff", "--patches", changed, tree], capture_output=True, text=True, check=True)
    assert re.search(r'(?m)^\+ +LOGGER\.info\(f"rates: {self\.lr}"\)$', shown.stdout), "what apply would change"
    told = subprocess.run([*command, "apply", "--patches", changed, tree], capture_output=True, text=True, check=True)
    assert "They replace those of the patch set print-lr that were applied before." in told.stdout
    assert names(tree) == ["print-lr"] and "rates: {self.lr}" in (tree / TRAINER).read_text(encoding="utf-8")


def test_a_set_is_not_applied_on_top_of_itself_where_its_state_is_lost(checkout: Callable[[str], Path]) -> None:
    tree = checkout("8.4.190")
    reach(found(tree), with_set(load(EXAMPLE)))
    shutil.rmtree(tree / "ultralytics" / STATE_DIR)
    before = everything(tree)
    with pytest.raises(DistillpatchError, match="the lines that it adds are there already"):
        reach(found(tree), with_set(load(EXAMPLE)))
    assert everything(tree) == before


def test_two_sets_that_change_the_same_code_are_refused_with_both_names(
    checkout: Callable[[str], Path], tmp_path: Path
) -> None:
    tree = checkout("8.4.190")
    mine = {}
    for name, after in (("theirs", "[0]"), ("mine", "[1]")):
        folder = tmp_path / name
        folder.mkdir()
        hunk = f"--- {TRAINER}  BaseTrainer.__init__\n- self.plot_idx = [0, 1, 2]\n+ self.plot_idx = {after}\n"
        (folder / "01-plots.patch").write_text(f"# 1  Other plots.\n\n{hunk}", encoding="utf-8")
        mine[name] = load(folder)
    reach(found(tree), with_set(mine["theirs"]))
    before = everything(tree)
    with pytest.raises(DistillpatchError, match=r"mine does not fit after theirs\. It fits without theirs: both"):
        reach(found(tree), with_set(mine["mine"]))
    assert everything(tree) == before


def test_edits_that_overlap_are_set_aside_where_a_set_stays(checkout: Callable[[str], Path]) -> None:
    tree = checkout("8.4.190")
    trainer = tree / TRAINER
    reach(found(tree), with_set(load(EXAMPLE)))
    expected = trainer.read_bytes()
    reach(found(tree), with_set(built_in()))
    edited = trainer.read_bytes().replace(b"self.distiller.start_epoch()", b"self.distiller.start_epoch(mine)")
    trainer.write_bytes(edited)
    with pytest.raises(DistillpatchError, match="at the very lines"):
        reach(found(tree), without_set("distillation"))
    assert trainer.read_bytes() == edited
    reach(found(tree), without_set("distillation"), Edited.SET_ASIDE)
    assert trainer.read_bytes() == expected and names(tree) == ["print-lr"]
    assert trainer.with_name("trainer.py.edited").read_bytes() == edited


def test_a_name_that_is_not_applied_is_refused(checkout: Callable[[str], Path]) -> None:
    tree = checkout("8.4.190")
    reach(found(tree), with_set(built_in()))
    with pytest.raises(DistillpatchError, match=r"no patch set 'mine' is applied; expected one of: distillation"):
        reach(found(tree), without_set("mine"))


def test_the_commands_take_and_list_patch_sets(checkout: Callable[[str], Path]) -> None:
    tree = checkout("8.2.50")

    def run(*arguments: object) -> str:
        command = [sys.executable, "-m", "distillpatch", *map(str, arguments), "--ultralytics-path", str(tree)]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=tree).stdout

    assert 'if getattr(self.args, "print_lr", False):\n' in run("diff", "--patches", EXAMPLE)
    run("apply")
    assert "LOGGER.info(f" in run("diff", "--patches", EXAMPLE)
    run("apply", "--patches", EXAMPLE)
    told = run("status")
    assert told.index("distillation") < told.index("print-lr")
    listed = json.loads(run("status", "--json"))["applied"]["patch_sets"]
    assert [known["name"] for known in listed] == ["distillation", "print-lr"]
    assert "Still applied: print-lr" in run("revert", "--patches", "distillation")
    assert not (tree / "ultralytics/utils/AddLoss.py").exists()
    run("revert")
    assert names(tree) == []


# What version 0.1.0 has left.


def old_tree(release: str, tree: Path) -> dict[str, Any]:
    """Bring a pristine checkout to what version 0.1.0 made of it, its state included; return the state."""
    state: dict[str, Any] = OLD_STATES[release]
    files = []
    for file in state["files"]:
        place = tree / file["path"]
        original = place.read_bytes() if file["original"] else None
        patched = edited((original or b"").decode(), file["patched"]["edits"]).encode()
        assert hashlib.sha256(patched).hexdigest() == file["patched"]["sha256"]
        place.write_bytes(patched)
        files.append({**file, "original": packed(original), "patched": packed(patched)})
        if original is not None:
            kept = tree / "ultralytics/.distillpatch/originals" / file["path"]
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(original)
    (tree / "ultralytics/.distillpatch/.gitignore").write_text("*\n", encoding="utf-8")
    (tree / "ultralytics/.distillpatch/state.json").write_text(json.dumps({**state, "files": files}), encoding="utf-8")
    return state


def edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    lines, result, at = text.splitlines(keepends=True), [], 0
    for first, behind, added in edits:
        result += [*lines[at:first], added]
        at = behind
    return "".join([*result, *lines[at:]])


def packed(content: bytes | None) -> dict[str, str] | None:
    if content is None:
        return None
    data = base64.b64encode(zlib.compress(content)).decode()
    return {"sha256": hashlib.sha256(content).hexdigest(), "zlib": data}


def texts(tree: Path) -> dict[str, bytes]:
    return {file.relative_to(tree).as_posix(): file.read_bytes() for file in tree.rglob("*") if file.is_file()}


@pytest.mark.parametrize("release", OLD_STATES)
def test_a_tree_of_0_1_0_is_reverted(release: str, checkout: Callable[[str], Path]) -> None:
    tree = checkout(release)
    pristine = texts(tree)
    old_tree(release, tree)
    reach(found(tree), without_set(None))
    assert texts(tree) == pristine


@pytest.mark.parametrize("release", OLD_STATES)
def test_a_tree_of_0_1_0_is_upgraded(release: str, checkout: Callable[[str], Path], tmp_path: Path) -> None:
    tree, other = checkout(release), releases.unpack(release, tmp_path / "other")
    pristine = texts(tree)
    old_tree(release, tree)
    reach(found(tree), with_set(built_in()))
    reach(found(other), with_set(built_in()))
    for path in {change.path for change in examine(found(other)).stack.changes}:
        assert (tree / path).read_bytes() == (other / path).read_bytes(), path
    reach(found(tree), without_set(None))
    assert texts(tree) == pristine


def test_a_set_is_added_to_a_tree_of_0_1_0(checkout: Callable[[str], Path]) -> None:
    tree = checkout("8.4.190")
    old_tree("8.4.190", tree)
    reach(found(tree), with_set(load(EXAMPLE)))
    assert names(tree) == ["distillation", "print-lr"]
