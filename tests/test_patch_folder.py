"""A folder of patches, as it is on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from distillpatch.errors import DistillpatchError
from distillpatch.patch_sets import load

PATCH = "# 1.1  A.\n\n+++ ultralytics/new.py  New.py\n"


def test_a_folder_gives_its_name_and_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "01-a-folder.patch").mkdir(parents=True)
    (folder / "01-a.patch").write_text(PATCH)
    (folder / "New.py").write_text("x = 1\n")
    (folder / "unrelated.bin").write_bytes(bytes(2**21))
    patches = load(folder)
    assert (patches.name, patches.package) == ("mine", "ultralytics")
    assert list(patches.files) == ["01-a.patch", "New.py"]


def test_a_malformed_pattern_is_told_whatever_the_checkout_has(tmp_path: Path) -> None:
    (tmp_path / "01-a.patch").write_text("# 1.1  A.\n\n--- ultralytics/m.py  f\n  if a: ...\n+ b()\n")
    with pytest.raises(DistillpatchError, match=r"^01-a\.patch:4: '\.\.\.' stands for"):
        load(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DistillpatchError, match=r"expected a folder of patches at .*gone: No such file"):
        load(tmp_path / "gone")


@pytest.mark.parametrize("fault", ["fifo", "large", "link"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, fault: str) -> None:
    (tmp_path / "01-a.patch").write_text(PATCH)
    file = tmp_path / "New.py"
    if fault == "fifo":
        os.mkfifo(file)
    elif fault == "large":
        file.write_bytes(bytes(2**21))
    else:
        file.symlink_to("nowhere")
    with pytest.raises(DistillpatchError, match=r"cannot read .*New\.py"):
        load(tmp_path)
