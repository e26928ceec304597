"""Classes with their own version of a patched method are named, and refused where the patch set relies on them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import matrix
import pytest
import releases
from click.testing import CliRunner
from hunks import patch_set
from statements import ADDLOSS, DETECT, TRAINER

from distillpatch.cli import main
from distillpatch.engine.notation import PatchSetError
from distillpatch.engine.own_versions import own_versions

pytestmark = pytest.mark.one_python

TRAINERS = patch_set(
    """\
    --- p/base.py  Base.run
      start()
    + begin()

    >>> p/base.py  Base.run
    >>> p/base.py  Base.step

    --- p/detect.py  Detect.name
      start()
    + begin()
    """
)
PACKAGE = {
    "p/base.py": "class Base:\n    def run(self): pass\n    def step(self): pass\n",
    "p/detect.py": "from p.base import Base\nclass Detect(Base):\n    def name(self): pass\n",
}


def found(files: Mapping[str, str]) -> list[tuple[str, str, tuple[str, ...], str]]:
    """Return the file, the name, the methods and the user of each own version in a package with some more files."""
    texts = {path: dedent(text).encode() for path, text in {**PACKAGE, **files}.items()}
    return [(own.path, own.name, own.methods, own.used_by) for own in own_versions(TRAINERS, texts)]


def test_a_patch_set_without_methods_to_inherit_reads_no_module() -> None:
    """Parsing the package for it took twice as long as all else."""

    class Unread(dict[str, bytes]):
        def items(self) -> Any:
            raise AssertionError("a module is looked into")

        __getitem__ = __iter__ = keys = values = items  # type: ignore[assignment]

    assert own_versions(patch_set("--- p/detect.py  Detect.name\n  start()\n+ begin()\n"), Unread()) == ()


def test_a_package_as_released_has_none() -> None:
    assert found({}) == []


OWN = {
    "a subclass that overrides": "from p.base import Base\nclass Mine(Base):\n    def run(self): pass",
    "a relative import": "from .base import Base\nclass Mine(Base):\n    def run(self): pass",
    "another name": "from p.base import Base as B\nclass Mine(B):\n    def run(self): pass",
    "an import that may fail": "try:\n    from p.base import Base\nexcept ImportError: pass\n"
    "class Mine(Base):\n    def run(self): pass",
    "a subclass of a subclass": "from p.detect import Detect\nclass Mine(Detect):\n    def run(self): pass",
    "by the module's name": "import p.detect\nclass Mine(p.detect.Detect):\n    def run(self): pass",
    "through the package": "from p import Detect\nclass Mine(Detect):\n    def run(self): pass",
    "a method from elsewhere": "from p.base import Base\nclass Mine(Base):\n    run = print",
    "a call of another method": "from p.base import Base\nclass Mine(Base):\n    def run(self): super().step()",
}


@pytest.mark.parametrize("name", OWN)
def test_a_class_that_overrides_is_found(name: str) -> None:
    files = {"p/__init__.py": "from p.detect import Detect", "p/mine.py": OWN[name]}
    assert found(files) == [("p/mine.py", "Mine", ("run",), "")]


NONE = {
    "it calls the inherited method": "from p.base import Base\nclass Mine(Base):\n    def run(self): super().run()",
    "it calls the base's": "from p.base import Base\nclass Mine(Base):\n    def run(self): Base.run(self)",
    "in Python 2's way": "from p.base import Base\nclass Mine(Base):\n    def run(self): super(Mine, self).run()",
    "another class with a method of that name": "class Engine:\n    def run(self): pass",
    "a function": "from p.base import Base\ndef run(self): pass",
    "not Python": "class Mine(Base:\n    def run(self): pass",
}


@pytest.mark.parametrize("name", NONE)
def test_nothing_else_is_taken_for_one(name: str) -> None:
    assert found({"p/mine.py": NONE[name]}) == []


def test_a_copy_under_another_name_is_found() -> None:
    copy = "class Copy:\n    def run(self): pass\n    def step(self): pass\n"
    assert found({"p/copy.py": copy}) == [("p/copy.py", "Copy", ("run", "step"), "")]


MIXIN = "class Mixin:\n    def run(self): pass\n"
MIXED = {
    "before the base": "from p.base import Base\n{mixin}class Mine(Mixin, Base): pass",
    "before a subclass": "from p.detect import Detect\n{mixin}class Mine(Mixin, Detect): pass",
    "in a module of its own": "from p.base import Base\nfrom p.mixin import Mixin\nclass Mine(Mixin, Base): pass",
    "by another name": "from p.base import Base\nfrom p.mixin import Mixin as M\nclass Mine(M, Base): pass",
    "through a mixin": "from p.base import Base\n{mixin}class More(Mixin): pass\nclass Mine(More, Base): pass",
}
NOT_MIXED = {
    "not at all": "from p.base import Base\n{mixin}class Mine(Base): pass",
    "after the base, which goes first": "from p.base import Base\n{mixin}class Mine(Base, Mixin): pass",
    "with no trainer": "{mixin}class Mine(Mixin): pass",
    "with a call of the inherited method": "from p.base import Base\nclass Mixin:\n"
    "    def run(self): super().run()\nclass Mine(Mixin, Base): pass",
}


def mixed(code: str) -> dict[str, str]:
    """Return the files of a package with a mixin: in the same module, or in its own."""
    return {"p/mine.py": code.format(mixin=MIXIN), **({} if "{mixin}" in code else {"p/mixin.py": MIXIN})}


@pytest.mark.parametrize("name", MIXED)
def test_a_mixin_is_found_that_a_trainer_is_combined_with(name: str) -> None:
    path = "p/mine.py" if "{mixin}" in MIXED[name] else "p/mixin.py"
    assert found(mixed(MIXED[name])) == [(path, "Mixin", ("run",), "")]


@pytest.mark.parametrize("name", NOT_MIXED)
def test_a_mixin_is_not_told_whose_method_no_trainer_has(name: str) -> None:
    assert found({"p/mine.py": NOT_MIXED[name].format(mixin=MIXIN)}) == []


def test_a_mixin_of_an_edited_class_is_told_apart_if_it_goes_first() -> None:
    edited = "from p.base import Base\n" + MIXIN + "class Detect({bases}):\n    def name(self): pass"
    assert found({"p/detect.py": edited.format(bases="Mixin, Base")}) == [("p/detect.py", "Mixin", ("run",), "Detect")]
    assert found({"p/detect.py": edited.format(bases="Base, Mixin")}) == []


MADE = {
    "of a class that it is given": (
        "def make(base):\n    class Made(base):\n        def run(self): pass\n        def step(self): pass\n",
        ("run", "step"),
    ),
    "of one that it imports": (
        "def make():\n    from p.base import Base\n    class Made(Base):\n        def run(self): pass\n",
        ("run",),
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_a_class_that_a_function_makes_is_found(name: str) -> None:
    code, methods = MADE[name]
    assert found({"p/make.py": code}) == [("p/make.py", "Made", methods, "")]


def test_classes_that_inherit_from_each_other_end() -> None:
    assert found({"p/mine.py": "class A(B):\n    def run(self): pass\nclass B(A):\n    def run(self): pass"}) == []


def test_an_own_version_that_an_edited_class_uses_is_told_apart() -> None:
    mine = "from p.base import Base\nclass Mine(Base):\n    def run(self): pass"
    through = "from p.mine import Mine\nclass Between(Mine): pass"
    detect = "from p.between import Between\nclass Detect(Between):\n    def name(self): pass"
    files = {"p/mine.py": mine, "p/between.py": through, "p/detect.py": detect}
    assert found(files) == [("p/mine.py", "Mine", ("run",), "Detect")]


def test_a_copy_that_an_edited_class_inherits_from_is_told_apart() -> None:
    detect = "from p.copy import Base\nclass Detect(Base):\n    def name(self): pass"
    files = {"p/copy.py": "class Base:\n    def run(self): pass\n", "p/detect.py": detect}
    assert found(files) == [("p/copy.py", "Base", ("run",), "Detect")]


@pytest.mark.parametrize("header", [">>> p/base.py", ">>> p/base.py  run", ">>> p/base.py  A.b.c"])
def test_a_method_needs_a_class(header: str) -> None:
    with pytest.raises(PatchSetError, match="expected a method of a class"):
        patch_set(f"--- p/base.py\n  a()\n+ b()\n\n{header}\n")


@pytest.mark.parametrize("release", releases.PINNED)
def test_no_release_has_one(release: str) -> None:
    with zipfile.ZipFile(releases.wheel(release)) as wheel:
        texts = {name: wheel.read(name) for name in wheel.namelist() if name.endswith(".py")}
    assert own_versions(matrix.patch_set(), texts) == ()


# On a real release ----------------------------------------------------------------------------------------------------

RELEASE = "8.3.200"
LOOP = "    def _do_train(self):\n        pass\n"


def run(tree: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a command on a checkout; return its exit code, its output, and what it printed to stderr."""
    result = CliRunner().invoke(main, [*arguments, "--ultralytics-path", str(tree)])
    return result.exit_code, result.stdout, result.stderr


def append(file: Path, text: str) -> None:
    file.write_text(f"{file.read_text()}\n\n{text}")


def test_a_detection_trainer_with_a_loop_of_its_own_is_refused(checkout: Callable[[str], Path]) -> None:
    tree = checkout(RELEASE)
    append(tree / DETECT, LOOP)
    line = len((tree / DETECT).read_text().splitlines()) - 1
    code, _, error = run(tree, "apply")
    assert code == 1
    assert f"{DETECT}:{line}: DetectionTrainer (_do_train), used by DetectionTrainer" in error
    assert "Nothing was written" in error
    assert not (tree / ADDLOSS).exists()


def test_a_detection_trainer_that_inherits_from_a_copy_is_refused(checkout: Callable[[str], Path]) -> None:
    tree = checkout(RELEASE)
    copy = tree / "ultralytics/engine/my_trainer.py"
    copy.write_bytes((tree / TRAINER).read_bytes())
    text = (tree / DETECT).read_text()
    (tree / DETECT).write_text(text.replace("ultralytics.engine.trainer", "ultralytics.engine.my_trainer"))
    code, _, error = run(tree, "apply")
    assert code == 1
    assert "ultralytics/engine/my_trainer.py" in error and "used by DetectionTrainer" in error


def test_a_mixin_is_named_where_a_trainer_has_its_loop(checkout: Callable[[str], Path]) -> None:
    tree = checkout(RELEASE)
    folder = tree / "ultralytics/models/yolo/detect"
    (folder / "loop.py").write_text(f"class Loop:\n{LOOP}")
    assert "does not distill" not in run(tree, "status")[1]
    imports = "from .loop import Loop\nfrom .train import DetectionTrainer\n"
    (folder / "mine.py").write_text(f"{imports}class Mine(Loop, DetectionTrainer):\n    pass\n")
    assert "does not distill: ultralytics/models/yolo/detect/loop.py:2: Loop (_do_train)" in run(tree, "status")[1]


def test_other_trainers_are_named_by_apply_and_status(checkout: Callable[[str], Path]) -> None:
    tree = checkout(RELEASE)
    mine = "from ultralytics.models import yolo\n\n\nclass Mine(yolo.detect.DetectionTrainer):\n"
    (tree / "ultralytics/models/yolo/detect/mine.py").write_text(mine + LOOP)
    told = "ultralytics/models/yolo/detect/mine.py:5: Mine (_do_train)"
    own = [{"path": told.split(":")[0], "line": 5, "class": "Mine", "methods": ["_do_train"]}]

    def assert_status() -> None:
        assert f"does not distill: {told}" in run(tree, "status")[1]
        assert json.loads(run(tree, "status", "--json")[1])["own_versions"] == own

    assert_status()
    code, _, error = run(tree, "apply")
    assert code == 0
    assert f"training with them does not distill:\n  {told}\n" in error
    assert_status()
