"""The walls of the house: which module may import which, what may change the disk, and how large a thing may be.

Each wall has a list of today's exceptions. A list may only shrink: an exception that is no longer one fails as well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "distillpatch"

# Imports --------------------------------------------------------------------------------------------------------------

LEVELS = {
    # Data that several wings share.
    "errors": (),
    "change": (),
    "syntax": (),
    "alignment": (),
    # Texts in, texts out.
    "engine": ("errors", "change", "syntax", "alignment"),
    # Reads a checkout, the environment, git.
    "tree": ("errors", "change", "syntax"),
    # What was done to a checkout, and doing it.
    "ledger": ("errors", "change", "alignment", "tree"),
    # What training runs have left.
    "runs": ("errors", "tree"),
    "comparison": ("errors", "runs"),
    # A folder's files, parsed.
    "patch_sets": ("engine", "tree"),
    # What was applied, though no state says so.
    "adoption": ("errors", "change", "engine", "tree", "ledger"),
    # What shall be applied.
    "wanted": ("errors", "engine", "tree", "ledger", "patch_sets"),
    # Look, plan, change.
    "commands": ("errors", "change", "engine", "tree", "ledger", "adoption", "patch_sets", "wanted"),
    # Where things are on disk now, and what of this machine matters.
    "disk_lines": ("alignment", "engine", "ledger", "commands"),
    "doctor": ("errors", "tree", "commands"),
    # Sentences, tables, diffs.
    "report": (
        *("errors", "change", "engine", "tree", "ledger", "patch_sets", "commands", "disk_lines"),
        *("comparison", "doctor"),
    ),
    "streams": ("errors",),
    # How commands end.
    "click_group": ("errors", "tree", "ledger", "streams"),
    # Where results go, and what several commands are asked.
    "console": ("errors", "change", "tree", "report", "streams", "click_group"),
    "options": ("errors", "patch_sets", "tree", "ledger", "report", "click_group", "console"),
    "cli": (
        *("errors", "engine", "tree", "ledger", "commands", "wanted", "disk_lines", "doctor", "comparison"),
        *("patch_sets", "report", "streams", "click_group", "console", "options"),
    ),
    "__main__": ("cli", "click_group"),
}
"""For each wing, and each module that is in none, what it may import of the others."""


def test_no_import_runs_up() -> None:
    upwards = {
        (name_of(path), wing_of(imported))
        for path in modules()
        for imported in imports_of(path)
        if wing_of(imported) not in (wing_of(path), *LEVELS[wing_of(path)])
    }
    assert upwards == set()


def test_each_wing_is_on_the_plan_of_the_house() -> None:
    plan = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The house")[2]
    plan = plan.partition("\n## ")[0]
    missing = [name for name in LEVELS if f"{name}.py`" not in plan and f"/{name}/`" not in plan]
    assert missing == ["__main__"]


def test_no_imports_run_in_a_circle() -> None:
    graph = {path: imports_of(path) for path in modules()}
    assert len([*TopologicalSorter(graph).static_order()]) >= len(graph)  # or else CycleError, which names the circle


def test_the_inits_hold_no_code() -> None:
    bodies: Mapping[str, list[ast.stmt]] = {name_of(path): tree_of(path).body for path in PACKAGE.rglob("__init__.py")}
    code = {name for name, body in bodies.items() if not all(isinstance(node, (ast.Expr, ast.Assign)) for node in body)}
    assert code == set()


def test_the_engine_touches_no_disk() -> None:
    found = {
        (name_of(path), name)
        for path in modules()
        if wing_of(path) == "engine"
        for name in (*outside(path), *(call for call, _ in calls(path) if call in ("open", "exec", "eval")))
        if name in ("os", "subprocess", "shutil", "tempfile", "socket", "glob", "open", "exec", "eval", "pathlib.Path")
    }
    assert found == set()


@pytest.mark.parametrize("word", ["yolo", "ultralytics", "teacher", "student"])
def test_the_engine_knows_no(word: str) -> None:
    """Messages included: what they say of a release is the caller's."""
    found = {
        name_of(path)
        for path in modules()
        if wing_of(path) == "engine" and path.name != "__init__.py" and re.search(word, code_of(path), re.IGNORECASE)
    }
    assert found == set()


# The disk -------------------------------------------------------------------------------------------------------------

WRITERS = {
    "ledger/disk.py",
    "console.py",  # a diff, to where the user says
    "report/chart.py",
}
"""The modules that change the disk."""

_OF_OS = {
    f"os.{name}"
    for name in (
        *("chmod", "chown", "fchmod", "fchown", "ftruncate", "link", "makedirs", "mkdir", "remove", "removedirs"),
        *("rename", "renames", "replace", "rmdir", "symlink", "truncate", "unlink", "utime", "write"),
    )
}
_OF_PATHS = {
    *("chmod", "hardlink_to", "lchmod", "mkdir", "rename", "rmdir", "symlink_to", "touch", "unlink"),
    *("write_bytes", "write_text"),
}


def test_only_the_writers_change_the_disk() -> None:
    found = {name_of(path) for path in modules() for call, node in calls(path) if changes_the_disk(call, node)}
    assert found == WRITERS


@pytest.mark.parametrize(
    "code",
    [
        "os.replace(a, b)",
        "path.replace(other)",
        "shutil.rmtree(folder)",
        "path.write_bytes(b'')",
        "open(path, 'w')",
        "path.open(mode='ab')",
        "os.open(path, os.O_CREAT | os.O_WRONLY)",
        "tempfile.mkdtemp()",
    ],
)
def test_what_changes_the_disk_is_seen(code: str) -> None:
    assert any(changes_the_disk(call, node) for call, node in _calls(ast.parse(code)))


@pytest.mark.parametrize("code", ["text.replace(a, b)", "open(path)", "path.open('rb')", "os.open(path, os.O_RDONLY)"])
def test_what_reads_is_not_taken_for_it(code: str) -> None:
    assert not any(changes_the_disk(call, node) for call, node in _calls(ast.parse(code)))


def changes_the_disk(call: str, node: ast.Call) -> bool:
    """Return whether a call changes the disk, as far as can be told from its name and arguments."""
    method = call.rpartition(".")[2]
    if call in _OF_OS or call.startswith("tempfile.") or (call.startswith("shutil.") and method in _OF_SHUTIL):
        return True
    if call == "os.open":
        return any(flag in ast.unparse(node) for flag in ("O_CREAT", "O_WRONLY", "O_RDWR", "O_TRUNC"))
    if method in ("open", "fdopen"):
        place = 0 if "." in call and call != "os.fdopen" else 1
        modes = [*node.args[place : place + 1], *(word.value for word in node.keywords if word.arg == "mode")]
        return any(isinstance(mode, ast.Constant) and re.search("[wax+]", str(mode.value)) for mode in modes)
    if method == "replace":  # of a path, since that of a text has two arguments
        return "." in call and len(node.args) == 1
    return "." in call and method in _OF_PATHS


_OF_SHUTIL = {"copy", "copy2", "copyfile", "copyfileobj", "copymode", "copystat", "copytree", "move", "rmtree"}


_ABSENCE = {
    "exists",
    "glob",
    "is_dir",
    "is_file",
    "is_symlink",
    "isdir",
    "isfile",
    "islink",
    "iterdir",
    "lexists",
    "rglob",
}


def test_the_ledger_asks_one_module_whether_something_is_there() -> None:
    """What Python has for that answers no to a failing disk as well, and then what is there is removed."""
    asked = [
        (name_of(path), call)
        for path in modules()
        if wing_of(path) == "ledger"
        for call, _ in calls(path)
        if "." in call and call.rpartition(".")[2] in _ABSENCE
    ]
    assert asked == []


def test_only_the_finder_of_unsaved_work_and_the_pager_start_a_process() -> None:
    assert {name_of(path) for path in modules() if "subprocess" in outside(path)} == {"tree/git.py", "report/pager.py"}


# Sizes ----------------------------------------------------------------------------------------------------------------

LINES = 350
LONG_FILES = {
    "tests/test_cli.py",
    "tests/test_edit.py",
    "tests/test_resume.py",
    "tests/test_state.py",
    "tests/test_transaction.py",
}

LINES_OF_A_FUNCTION = 40
LONG_FUNCTIONS = {
    ("tests/test_cli.py", "test_there_and_back"),
    ("tests/test_losses.py", "test_looking_at_a_model_leaves_no_trace_in_it"),
    ("tests/test_plan.py", "test_the_message_of_a_misfit"),
}


def test_no_file_is_long() -> None:
    long = {shown(path) for path in sources() if len(path.read_text(encoding="utf-8").splitlines()) > LINES}
    assert long == LONG_FILES


def test_no_function_is_long() -> None:
    long = {
        (shown(path), node.name)
        for path in sources()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and length(node) > LINES_OF_A_FUNCTION
    }
    assert long == LONG_FUNCTIONS


def length(function: ast.FunctionDef) -> int:
    """Return how many lines a function has from its `def` on, its docstring left out."""
    first, last = function.body[0], function.end_lineno or 0
    documented = ast.get_docstring(function) is not None
    return last - function.lineno + 1 - (documented and (first.end_lineno or 0) - first.lineno + 1)


# Reading the sources --------------------------------------------------------------------------------------------------


def modules() -> list[Path]:
    """Return the modules of the command-line tool."""
    return sorted(PACKAGE.rglob("*.py"))


def sources() -> list[Path]:
    """Return all Python files of the project."""
    return sorted(
        path for folder in (PACKAGE, *("patches", "tests", "tools")) for path in (PROJECT / folder).rglob("*.py")
    )


def shown(path: Path) -> str:
    """Return a file's path in the project."""
    return path.relative_to(PROJECT).as_posix()


def name_of(path: Path) -> str:
    """Return a module's path in the package."""
    return path.relative_to(PACKAGE).as_posix()


def wing_of(path: Path) -> str:
    """Return the folder of the package that a module is in, or the module itself."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def code_of(path: Path) -> str:
    """Return a module's text without the name of the project."""
    return re.sub("distillpatch", "", path.read_text(encoding="utf-8"))


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_names(path: Path) -> Iterator[str]:
    """Return all that a module imports, inside functions too, with the modules that it is from."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: imports here are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_of(path: Path) -> set[Path]:
    """Return the modules of the package that a module imports; an `__init__` holds no code, and is left out."""
    found = set()
    for name in imported_names(path):
        parts = name.split(".")
        if parts[0] == "distillpatch":
            candidates = [PROJECT.joinpath(*parts[:end]).with_suffix(".py") for end in (len(parts), len(parts) - 1)]
            found |= {next(iter(file for file in candidates if file.is_file()), path)} - {path}
    return found


def outside(path: Path) -> set[str]:
    """Return what a module imports of other projects: each module, and each name from one."""
    names = [name for name in imported_names(path) if not name.startswith("distillpatch")]
    return {*names, *(name.partition(".")[0] for name in names)}


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """Return the calls in a module, by the text of what is called."""
    return _calls(tree_of(path))


def _calls(tree: ast.Module) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
