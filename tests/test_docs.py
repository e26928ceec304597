"""What the documents say is so: the tests that they name exist, their links lead somewhere, and their numbers agree."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "patches/README.md",
    "docs/cost.md",
    "docs/forks.md",
    "docs/guarantees.md",
    "docs/releases.md",
)


def page(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def test_every_test_that_stands_for_a_guarantee_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", page("docs/guarantees.md")))
    modules = [path.read_text(encoding="utf-8") for path in (PROJECT / "tests").glob("test_*.py")]
    assert len(named) > 30
    assert named <= {name for module in modules for name in re.findall(r"^def (test_\w+)", module, re.MULTILINE)}


@pytest.mark.parametrize("name", PAGES)
def test_links_to_files_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page(name))
    assert [link for link in links if not (PROJECT / name).parent.joinpath(link).exists()] == []


def test_the_readme_claims_the_releases_that_were_checked() -> None:
    summary = page("docs/releases.md").split("\n\n")[1]
    found = re.search(r"(?m)^(\d+) of (\d+) .+: (\S+) to (\S+)\.$", summary)
    assert found
    passed, checked, oldest, newest = found.groups()
    assert passed == checked
    assert f"Every ultralytics release from {oldest} to {newest}, all {checked} of them" in page("README.md")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/guarantees.md"])
def test_every_make_target_that_is_named_exists(name: str) -> None:
    named = set(re.findall(r"(?m)(?:^ {4}(?:\$ )?|`)make (\w+)", page(name)))
    assert named
    assert named <= set(re.findall(r"(?m)^(\w+):", page("Makefile")))


def test_the_readme_shows_what_the_commands_print(checkout: Callable[[str], Path]) -> None:
    """Between any two `...` is an excerpt of the real output; one that does not fit is to be taken anew from there."""
    root = checkout("8.4.190")
    sessions = re.findall(r"(?m)^ {4}\$ distillpatch (.+)\n((?: {4}.*\n)+)", page("README.md"))
    assert [command for command, _ in sessions] == ["diff", "apply", "revert"]
    for command, shown in sessions:
        run = [sys.executable, "-m", "distillpatch", command]
        told = subprocess.run(run, cwd=root, capture_output=True, text=True, encoding="utf-8", check=True)
        printed = f"{told.stderr}{told.stdout}".replace(str(root), "/home/me/yolo")
        excerpts = re.sub(r"(?m)^ {4}", "", shown).split("...\n")
        assert [excerpt for excerpt in excerpts if excerpt not in printed] == []
