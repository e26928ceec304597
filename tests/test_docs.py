"""What the documents say is so: the tests that they name exist, their links lead somewhere, and their numbers agree."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pictures
import pytest
import releases
import yaml
from test_cli import FILES, RESTORED

from distillpatch import __version__

PROJECT = Path(__file__).resolve().parent.parent
PAGES = (
    "README.md",
    "README.zh-CN.md",
    "CONTRIBUTING.md",
    "patches/README.md",
    "docs/cost.md",
    "docs/forks.md",
    "docs/guarantees.md",
    "docs/how-it-works.md",
    "docs/json.md",
    "docs/releases.md",
)


def page(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_files_that_a_readme_counts_are_those_of_the_patch_set(readme: str) -> None:
    assert f"Applied 15 modifications to {FILES} files in " in page(readme)
    assert RESTORED in page(readme)


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


def test_the_readme_compares_by_figures_that_were_measured() -> None:
    """Its first screen has figures of docs/forks.md and docs/cost.md, which say how each was measured."""
    forks = re.findall(r"\| (?:patched|refused)[^|]+\| +(\d+) \|", page("docs/forks.md"))
    (checkouts,) = re.findall(r"makes of (\d+) checkouts", page("docs/forks.md"))
    (seconds,) = re.findall(r"`diff` on 8\.4\.190 takes (\S+) CPU seconds", page("docs/cost.md"))
    table = page("README.md").split("**When upstream's own is enough")[0]
    refused = int(forks[3])
    assert f"{int(checkouts) - refused} of [{checkouts} public forks]" in table and f"the other {refused} are" in table
    assert f"planned in [{seconds} s]" in table


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_has_the_gains_that_were_measured(name: str) -> None:
    """In the table and under "Choosing": those of docs/learning.md, which `make learning` writes from its rows."""
    table, rest = page(name).split("**", 1)
    digits, stamps = (_measured(f"{data}, 128 images with labels") for data in ("digits", "stamps"))
    images, pictures = (
        _measured(f"{data}, 128 images with labels and 896 without")["default"] for data in ("digits", "stamps")
    )
    longer = _measured("digits, 128 images with labels and 896 without, 3,840 steps")
    many = [
        _measured(f"{regime} with labels{steps}")["default"]
        for regime, steps in (
            ("digits, 1,024 images", ""),
            ("digits, 1,024 images", ", 3,840 steps"),
            ("stamps, 1,024 images", ""),
        )
    ]
    arms = ("tutorial", "upstream's distill_model", "default")
    shown = [*(digits[arm][0] for arm in arms), images[0], *(stamps[arm][0] for arm in arms)]
    gains = re.compile(r"[+-]0\.\d+ ± 0\.\d+")
    assert gains.findall(table) == shown
    assert re.findall(r"(?:of a gap of|相差) (0\.\d+)", table) == [digits["gap"][0], stamps["gap"][0]]
    least, most = map(float, re.findall(r"(?m)^LEAST, MOST = (\S+), (\S+)$", page("patches/distill_gradient.py"))[0])
    (share,) = re.findall(r"share of soft 1 with frs 10 was (\d+) %", page("docs/learning/protocol.md"))
    shares = [
        *(digits[arm][1] for arm in ("default", "tutorial", "soft 3")),
        *(f"{value:g}" for value in (round(int(share), -1), 100 * least, 100 * most)),
        *(images[1], digits["default"][1], longer["default"][1], pictures[1], many[2][1]),
    ]
    (choosing,) = re.findall(r"(?s)\n## (?:Choosing|怎样选择)\n.*?\n## ", rest)
    assert re.findall(r"(\d+) %", choosing) == shares
    assert gains.findall(choosing) == [gain for gain, _ in many]


def _measured(section: str) -> dict[str, tuple[str, ...]]:
    """Return the gain and the share of the gap of each arm of a section of docs/learning.md, and that gap."""
    (text,) = re.findall(rf"(?s)\n## {re.escape(section)}\n(.*?)(?:\n## |$)", page("docs/learning.md"))
    (teacher, alone) = re.findall(r"The teacher: (\S+)\. Alone: (\S+)\.", text)[0]
    rows = [[cell.strip() for cell in row.split("|")] for row in re.findall(r"(?m)^\|(.+)\|$", text)]
    arms = {"default" if "(default)" in row[0] else row[0]: (row[3], row[4].removesuffix("%")) for row in rows[2:]}
    return {**arms, "gap": (f"{float(teacher) - float(alone):.3f}",)}


def test_the_forms_for_issues_ask_for_what_the_doctor_says() -> None:
    forms = [path for path in (PROJECT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"]
    assert len(forms) == 2
    for form in forms:
        asked = {each["attributes"].get("label"): each for each in yaml.safe_load(form.read_text())["body"]}
        assert asked["Output of `distillpatch doctor`"]["validations"]["required"]


def test_who_cites_it_cites_this_version() -> None:
    assert yaml.safe_load(page("CITATION.cff"))["version"] == __version__
    assert page("CHANGELOG.md").split("\n## ")[1].startswith(__version__)


def test_upstreams_own_distillation_is_where_the_readme_says() -> None:
    (first,) = re.findall(r"\| (8\.\S+) and newer \|", page("README.md"))
    has_it = {}
    for release in ("8.4.60", first, releases.PINNED[-1]):
        with zipfile.ZipFile(releases.wheel(release)) as archive:
            has_it[release] = "ultralytics/nn/distill_model.py" in archive.namelist()
    assert has_it == {"8.4.60": False, first: True, releases.PINNED[-1]: True}


@pytest.mark.one_python
@pytest.mark.parametrize("name", pictures.SESSIONS)
def test_a_picture_shows_what_the_commands_print(name: str, checkout: Callable[[str], Path]) -> None:
    """`make pictures` draws it again. Counts may differ; files, words and commands may not."""
    picture = page(f"docs/pictures/{name}.svg")
    root = checkout(pictures.RELEASE)
    assert _shown_in(picture) == _shown_in(pictures.draw(pictures.session(pictures.SESSIONS[name], root), name))
    assert not re.search(r"url\((?!#)|@import|<image|href", picture)


def _shown_in(picture: str) -> str:
    """Return the text of a picture, apart from the size of numbers."""
    texts = re.findall(r"<text[^>]*>(.*?)</text>", picture)
    return re.sub(r"\s+", " ", re.sub(r"\d+", "0", unescape("".join(texts)).replace("\xa0", " ")))


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
        printed, shown = (re.sub(r"\d+ files", "N files", text) for text in (printed, shown))
        excerpts = re.sub(r"(?m)^ {4}", "", shown).split("...\n")
        assert [excerpt for excerpt in excerpts if excerpt not in printed] == []
