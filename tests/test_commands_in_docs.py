"""Every command in README and docs is run, in both languages, and prints what is shown there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import click
import pytest
import yaml
from commanded import invoke
from installs import INSTALLS
from test_cli import run, variables
from test_docs import PROJECT, page
from test_runs import make

from distillpatch.cli import main
from distillpatch.patch_sets import built_in

Checkout = Callable[[str], Path]

PAGES = ("README.md", "README.zh-CN.md", *sorted(f"docs/{path.name}" for path in (PROJECT / "docs").glob("*.md")))

# The test that runs each command of a block.
RUN_BY = {
    "distillpatch diff": "test_the_readme_shows_what_the_commands_print",
    "distillpatch apply": "test_the_readme_shows_what_the_commands_print",
    "distillpatch revert": "test_the_readme_shows_what_the_commands_print",
    "distillpatch status": "test_a_patch_set_of_ones_own_comes_and_goes",
    "distillpatch apply --patches print-lr/": "test_a_patch_set_of_ones_own_comes_and_goes",
    "distillpatch revert --patches print-lr": "test_a_patch_set_of_ones_own_comes_and_goes",
    "distillpatch apply --replace-hand-edits": "test_a_hand_patched_checkout_is_patched_and_reverted",
    "yolo train model=yolov8n.yaml data=data.yaml epochs=100 model_t=teacher.pt": "test_the_readme_trains",
}
# These install from an index, as `make installs` does, or run all tests and the demonstration.
BY_HAND = {*INSTALLS, "make demo", "make test"}


def blocks(text: str) -> Iterable[str]:
    """Yield the commands in the blocks of a page, without their comments."""
    for line in re.findall(r"(?m)^ {4}(?:\$ )?((?:distillpatch|yolo|make|python|pip|pipx|uv) .*)$", text):
        yield re.split(r" {2,}#| # ", line)[0].strip()


@pytest.mark.parametrize("name", PAGES)
def test_every_command_of_a_page_is_run_by_a_test(name: str) -> None:
    assert [command for command in blocks(page(name)) if command not in RUN_BY and command not in BY_HAND] == []


def test_the_tests_that_run_them_exist() -> None:
    modules = [path.read_text(encoding="utf-8") for path in (PROJECT / "tests").glob("test_*.py")]
    names = {name for module in modules for name in re.findall(r"^def (test_\w+)", module, re.MULTILINE)}
    assert set(RUN_BY.values()) <= names
    assert set(RUN_BY) | BY_HAND <= {command for name in PAGES for command in blocks(page(name))}


@pytest.mark.parametrize("name", PAGES)
def test_every_command_in_a_sentence_is_understood(name: str) -> None:
    for span in re.findall(r"`distillpatch ([^`|]+)`", page(name)):
        command, *arguments = shlex.split(span.replace(" N", " 7"))
        with suppress(click.MissingParameter):  # a sentence may be about a command as such
            main.commands[command].make_context(command, arguments)


def test_both_languages_have_the_same_commands_options_and_headings() -> None:
    english, chinese = page("README.md"), page("README.zh-CN.md")
    assert [*blocks(english)] == [*blocks(chinese)]
    assert re.findall(r"(?m)^(#+) ", english) == re.findall(r"(?m)^(#+) ", chinese)
    spans = [set(re.findall(r"`([^`]+)`", text)) for text in (english, chinese)]
    assert spans[0] == spans[1]
    links = [set(re.findall(r"\]\(([^)]+)\)", text)) for text in (english, chinese)]
    assert links[0] - {"README.zh-CN.md"} == links[1] - {"README.md"}
    outputs = [re.findall(r"(?m)^ {4}(?! )(?!.*  #)(?!make).*[a-z].*$", text) for text in (english, chinese)]
    assert outputs[0] == outputs[1]
    figures = [sorted(re.findall(r"(?:[+-]?\d+\.\d+|\d+ %)", text)) for text in (english, chinese)]
    assert figures[0] == figures[1]
    rows = [re.findall(r"(?m)^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|", text) for text in (english, chinese)]
    none = {"none": "无", "by layout": "按结构", "by loss": "按损失"}
    assert [tuple(none.get(cell, cell) for cell in row) for row in rows[0]] == rows[1] and len(rows[0]) > 10


def test_every_modification_is_beside_its_section_in_the_chinese_readme() -> None:
    rows = re.findall(r"(?m)^\| (2\.\d+) \| (\d+) \| ", page("README.zh-CN.md"))
    expected = [(each.section.split()[0], str(each.number)) for each in built_in().modifications]
    assert rows == expected == re.findall(r"(?m)^\| (2\.\d+) \| (\d+) \| ", page("README.md"))


def test_a_patch_set_of_ones_own_comes_and_goes(checkout: Checkout) -> None:
    root = checkout("8.4.190")
    shutil.copytree(PROJECT / "docs/example-patches/print-lr", root / "print-lr")
    (block,) = re.findall(r"(?m)(?:^    distillpatch .*\n)+(?=\nA change that you carry)", page("README.md"))
    assert run("apply", cwd=root).returncode == 0
    added, listed, reverted = (run(*shlex.split(command)[1:], cwd=root) for command in blocks(block))
    assert added.stdout.startswith("Applied 2 modifications to 2 files"), added
    assert "\nTo undo it:  distillpatch revert --patches print-lr\nTo undo all: distillpatch revert\n" in added.stdout
    assert "patch set print-lr: " in listed.stdout and "patch set distillation: " in listed.stdout
    assert "Still applied: distillation." in reverted.stdout


def test_a_broken_anchor_is_reported_as_the_guide_shows(checkout: Checkout) -> None:
    root = checkout("8.4.190")
    trainer = root / "ultralytics/engine/trainer.py"
    text = trainer.read_text(encoding="utf-8").replace("_model_train", "_set_train_mode")
    trainer.write_text(text, encoding="utf-8")
    (shown,) = re.findall(
        r"(?m)^    8\.4\.191 (modification 7 \(.*\) does not fit)\n((?:      .*\n)+)", page("CONTRIBUTING.md")
    )
    told = invoke("apply", root).stderr
    assert f"Error: {shown[0]} ultralytics 8.4.190\n" in told and re.sub(r"(?m)^ {4}", "", shown[1]) in told


def test_each_command_has_the_fields_that_are_documented(checkout: Checkout, tmp_path: Path) -> None:
    root, text = checkout("8.4.190"), re.sub(r"\([^)]*\)", "", page("docs/json.md"))
    rows = dict(re.findall(r"(?m)^\| `(\w+)[^`|]*` \| (.+) \|$", text.partition("## Exit codes")[0]))
    ((of_a_modification,),) = [re.findall(r"(?s)A modification has (.+?)\. In `status`", text)]
    of_status = re.findall(r"`(\w+)`", text.partition(". In `status` it also names")[2].partition(".\n")[0])
    rows["explain"] = rows["explain"].replace("the fields of a modification", of_a_modification)
    run = make(tmp_path / "run", 0.1, 0.2)
    commands = [("status", root), ("diff", root), ("apply", root), ("explain", 7, root), ("doctor",), ("compare", run)]
    commands.append(("revert", root))
    assert {command for command, *_ in commands} == set(rows)
    for command, *arguments in commands:
        found = json.loads(invoke(command, *arguments, "--json").stdout)
        assert found.pop("format") == 1
        assert set(found) == set(re.findall(r"`(\w+)`", rows[command])), command
        if command in ("apply", "revert"):  # after the one the other would do something, and the same would not
            other = {"apply": "revert", "revert": "apply"}[command]
            for again, fields in ((other, rows["diff"]), (command, rows[command])):
                dry = json.loads(invoke(again, "--dry-run", *arguments, "--json").stdout)
                assert set(dry) - {"format"} == set(re.findall(r"`(\w+)`", fields)), again
        if command == "status":
            assert set(found["modifications"][0]) == {*re.findall(r"`(\w+)`", of_a_modification), *of_status}


def test_an_error_as_json_is_as_shown() -> None:
    (shown,) = re.findall(r"(?m)(^    \{\n(?:    .*\n)+?    \}\n)", page("docs/json.md"))
    assert json.loads(invoke("status", "/x", "--json").stdout) == json.loads(shown)


def test_the_hook_keeps_a_commit_from_a_checkout_that_is_not_patched(checkout: Checkout, tmp_path: Path) -> None:
    """With pre-commit where it is installed, or else by git's own hook, which runs the entry as pre-commit does."""
    root = checkout("8.4.190")
    (shown,) = re.findall(r"(?ms)^    repos:\n.*?(?=\n\n|\Z)", page("docs/json.md"))
    config = re.sub(r"(?m)^ {4}", "", shown)
    ((hook,),) = ([each["hooks"] for each in yaml.safe_load(config)["repos"]],)
    assert hook[0]["language"] == "system" and hook[0]["always_run"] and not hook[0]["pass_filenames"]
    (tmp_path / "distillpatch").write_text(f'#!/bin/sh\nexec {sys.executable} -m distillpatch "$@"\n')
    (tmp_path / "distillpatch").chmod(0o755)
    env = variables(PATH=f"{tmp_path}:{variables()['PATH']}", PRE_COMMIT_HOME=str(tmp_path / "home"))

    def git(*arguments: str) -> int:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *arguments]
        return subprocess.run(command, cwd=root, env=env, capture_output=True).returncode

    (root / ".pre-commit-config.yaml").write_text(config)
    assert git("init", "--quiet") == git("add", "--all") == 0
    if shutil.which("pre-commit"):
        subprocess.run(["pre-commit", "install"], cwd=root, env=env, check=True, capture_output=True)
    else:
        (root / ".git/hooks/pre-commit").write_text(f"#!/bin/sh\nexec {hook[0]['entry']}\n")
        (root / ".git/hooks/pre-commit").chmod(0o755)
    assert git("commit", "--quiet", "--message", "x") == 1
    assert invoke("apply", root).exit_code == 0
    assert git("add", "--all") == 0  # pre-commit looks at what is staged
    assert git("commit", "--quiet", "--message", "x") == 0
