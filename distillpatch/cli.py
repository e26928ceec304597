"""The command line: parse, call one function, render."""

from __future__ import annotations

import errno
import gc
import io
import json
import os
import shlex
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from distillpatch import __version__
from distillpatch.commands import Situation, Standing, examine
from distillpatch.commands import apply as apply_to
from distillpatch.commands import revert as revert_in
from distillpatch.engine.plan import Plan, explain, found_by_hand
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.state import Condition
from distillpatch.ledger.transaction import lock, recover
from distillpatch.ledger.undo import Edited
from distillpatch.report.diff import colored, unified_diff
from distillpatch.report.modifications import outcome_lines, outcome_report
from distillpatch.tree.checkout import PYTHON_PATH, Checkout, Place, first_holding, import_places, locate
from distillpatch.tree.patch_folder import built_in

_EXAMPLES = """
\b
Examples:
  distillpatch diff                            what would change, as a diff
  distillpatch apply --ultralytics-path .      change it
  yolo train model=yolov8n.yaml data=data.yaml model_t=teacher.pt
  distillpatch revert                          take every byte back

Without --ultralytics-path the checkout that contains the current folder is taken, or else the ultralytics
installed in the active environment.
"""


_STDOUT = "-"

# What to do about a file that revert leaves, one that apply has added and one that it has changed.
_LEFT_ADDED = "edited by you, though we had added it; move it away before the next apply"
_LEFT_EDITED = "with our lines and yours; the rest of ours is gone, so take them out"


class _Group(click.Group):
    """A group whose errors are one message on stderr, with exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DistillpatchError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever reads our output has seen enough, which is no error
                raise
            raise click.ClickException(f"{error.filename or 'cannot go on'}: {error.strerror or error}") from error


@click.group(cls=_Group, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="distillpatch")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Turn an ultralytics checkout into one that trains YOLO models by knowledge distillation, and back."""
    gc.disable()  # syntax trees are many small objects that live to the end of this short process anyway
    if os.environ.get("NO_COLOR"):
        ctx.color = False
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a folder's name may be in no encoding at all


def _on_a_checkout(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option that names the checkout; it gets the checkout itself."""

    @click.option(
        "--ultralytics-path",
        type=click.Path(path_type=Path, file_okay=False),
        help="A checkout's root, the package folder itself, or a site-packages folder.",
    )
    @wraps(command)
    def located(ultralytics_path: Path | None, **options: Any) -> None:
        checkout = locate(ultralytics_path, _current_folder(), import_places(os.environ))
        click.echo(f"ultralytics {checkout.release} at {checkout.package} ({checkout.found})", err=True)
        _tell_what_was_recovered(recover(checkout.package, checkout.release))
        command(checkout, **options)

    return located


@main.command()
@_on_a_checkout
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    default=_STDOUT,
    help="Write the diff to this file; - is stdout.",
)
@click.option(
    "--exit-code",
    is_flag=True,
    help="Exit with 1 if there is a difference. So does an error, which its message on stderr tells apart.",
)
def diff(checkout: Checkout, output: str, exit_code: bool) -> None:
    """Show what apply would change, or has changed."""
    text = unified_diff(examine(checkout, built_in()).difference())
    if output == _STDOUT:
        _show(text)
    else:
        _write(text, Path(output), checkout)
    if exit_code and text:
        sys.exit(1)


@main.command()
@_on_a_checkout
@click.option("--dry-run", is_flag=True, help="Show the diff and write nothing.")
def apply(checkout: Checkout, dry_run: bool) -> None:
    """Apply all modifications, or none."""
    patch_set = built_in()
    situation = examine(checkout, patch_set)
    if situation.is_applied:
        click.echo(f"Nothing to do: {_standing(situation)}.", err=dry_run)
        return
    if dry_run:
        _show(unified_diff(situation.in_package(situation.application()[0])))
        return
    with lock(checkout.package, checkout.release) as held:
        _tell_what_was_recovered(held.recovered)
        situation = examine(checkout, patch_set)
        if situation.is_applied:  # another process was faster
            click.echo(f"Nothing to do: {_standing(situation)}.")
            return
        unsaved = apply_to(held, situation)
    for line in outcome_lines(situation.plan.outcomes):
        click.echo(line)
    files = len(situation.plan.changes)
    back = ["distillpatch", "revert", *(["--ultralytics-path", str(checkout.root)] if checkout.is_named else [])]
    click.echo(
        f"Applied {len(situation.plan.outcomes)} modifications to {files} files. Take them back: {shlex.join(back)}"
    )
    if situation.plan.own_versions:
        click.echo(
            "Note: these classes have their own version of a patched method, so training with them does not distill:",
            err=True,
        )
        for version in situation.plan.own_versions:
            click.echo(f"  {version}", err=True)
    if situation.plan.notes:
        click.echo("Note: this code of your own adds to the loss as well, and is left as it is:", err=True)
        for note in situation.plan.notes:
            click.echo(f"  {note}", err=True)
    if unsaved:
        click.echo(f"Note: {', '.join(unsaved)} had changes that are not committed to git; they were kept.", err=True)
    _tell_what_is_imported(checkout)


@main.command()
@_on_a_checkout
@click.option("--dry-run", is_flag=True, help="Show the diff and write nothing.")
@click.option("--keep-edited", is_flag=True, help="Leave files as they are in which your edits and ours overlap.")
@click.option(
    "--restore-original", is_flag=True, help="Restore such files, and keep the edited ones beside them as *.edited."
)
def revert(checkout: Checkout, dry_run: bool, keep_edited: bool, restore_original: bool) -> None:
    """Take back what was applied, and nothing else."""
    if keep_edited and restore_original:
        raise click.UsageError("--keep-edited and --restore-original exclude each other")
    edited = Edited.KEEP if keep_edited else Edited.SET_ASIDE if restore_original else Edited.REFUSE
    patch_set = built_in()
    situation = examine(checkout, patch_set)
    if situation.state is None:
        click.echo("Nothing to do: not patched.", err=dry_run)
        _tell_what_is_unrecorded(situation)
        return
    if dry_run:
        _show(unified_diff(situation.in_package(situation.taking_back(edited).changes)))
        return
    with lock(checkout.package, checkout.release) as held:
        _tell_what_was_recovered(held.recovered)
        situation = examine(checkout, patch_set)
        if situation.state is None:  # another process was faster
            click.echo("Nothing to do: not patched.")
            return
        done = revert_in(held, situation, edited)
    files = {change.path for change in situation.in_package(done.changes)} - set(done.set_aside.values())
    click.echo(f"Reverted {len(files)} files in {checkout.package}.")
    for path in done.merged:
        click.echo(f"  {path}: our changes are out, yours are kept")
    for path in done.left:
        added = situation.state.original(path) is None
        click.echo(f"  {path}: left as it is, {_LEFT_ADDED if added else _LEFT_EDITED}")
    for path, kept in done.set_aside.items():
        click.echo(f"  {path}: restored; the edited file is now {kept}")
    for path in done.overwritten:
        click.echo(f"  {path}: left as it is, {Condition.OVERWRITTEN.value}")


@main.command()
@_on_a_checkout
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def status(checkout: Checkout, as_json: bool) -> None:
    """Say what is there, what fits, and what Python would import."""
    situation = examine(checkout, built_in())
    if as_json:
        click.echo(json.dumps(_report(situation), indent=2))
        return
    click.echo(f"ultralytics {checkout.release}: {_standing(situation)}")
    for path, condition in situation.conditions.items():
        if condition is not Condition.INTACT:
            click.echo(f"  {path}: {condition.value}")
    if situation.obstacle:
        click.echo(f"\nWhich modifications fit cannot be told. {situation.obstacle}")
    else:
        _tell_what_fits(situation.plan)
    _tell_what_is_imported(checkout)


@main.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--metric", help="What to compare: a column of results.csv without metrics/; by default mAP50-95.")
@click.option("--by", type=click.Choice(["best", "last"]), default="best", help="Which epoch of each run counts.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the curves into this file; .svg, or .png with matplotlib.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def compare(runs: tuple[Path, ...], metric: str | None, by: str, plot: Path | None, as_json: bool) -> None:
    """Show what a teacher gave: training runs with and without one.

    RUN is the folder of a training run, with its results.csv and args.yaml, or a folder of such folders. Runs with the
    same arguments are compared by seed.
    """
    from distillpatch.comparison import compare_folders
    from distillpatch.report import chart
    from distillpatch.report.page import output, write
    from distillpatch.report.runs import comparison_curves, comparison_page, comparison_report

    comparison = compare_folders(runs, metric, by)
    if plot is not None:
        chart.save(comparison_curves(comparison), "What a teacher gave", comparison.metric, plot)
    if as_json:
        click.echo(json.dumps(comparison_report(comparison), indent=2))
        return
    out = output("auto", os.environ)
    write(comparison_page(comparison, out.width, pictures=out.has_pictures), out)
    if plot is not None:
        click.echo(f"Curves: {plot}", err=True)


def _tell_what_was_recovered(recovered: str | None) -> None:
    if recovered:
        click.echo(recovered, err=True)


def _tell_what_fits(plan: Plan) -> None:
    for line in outcome_lines(plan.outcomes):
        click.echo(line)
    for outcome in plan.outcomes:
        if outcome.rejections:
            click.echo(f"\n{explain(outcome, plan.release)}")
    for line in found_by_hand(plan):
        click.echo(f"made by hand: {line}")
    for version in plan.own_versions:
        click.echo(f"does not distill: {version}")
    for note in plan.notes:
        click.echo(f"left as it is: {note}")


def _standing(situation: Situation) -> str:
    """Return how a checkout stands, with who patched it and when."""
    state = situation.state
    if state is None:
        return situation.standing.value
    return (
        f"{situation.standing.value} (by distillpatch {state.version}, {state.applied_at}, ultralytics {state.release})"
    )


def _report(situation: Situation) -> dict[str, Any]:
    """Return what ``status`` knows, for programs."""
    state = situation.state
    place = first_holding(import_places(os.environ))
    plan = situation.plan if situation.obstacle is None else None
    return {
        "path": str(situation.checkout.package),
        "release": situation.checkout.release,
        "standing": situation.standing.name.lower(),
        "applied": None
        if state is None
        else {"version": state.version, "at": state.applied_at, "release": state.release},
        "files": {path: condition.name.lower() for path, condition in situation.conditions.items()},
        "obstacle": situation.obstacle,
        "modifications": [outcome_report(outcome) for outcome in plan.outcomes] if plan else [],
        "made_by_hand": [
            {"number": modification.number, "path": place.path, "line": place.line}
            for modification, place in (plan.by_hand if plan else ())
        ],
        "notes": [
            {"path": note.place.path, "line": note.place.line, "code": note.code}
            for note in (plan.notes if plan else ())
        ],
        "own_versions": [
            {"path": version.path, "line": version.line, "class": version.name, "methods": version.methods}
            for version in (plan.own_versions if plan else ())
        ],
        "imported": str(place.package) if place else None,
        "imports_this": place is not None and place.package.samefile(situation.checkout.package),
    }


def _tell_what_is_unrecorded(situation: Situation) -> None:
    """Say so when revert has nothing to go by, and yet somebody has patched the tree."""
    if situation.unrecorded_files:
        click.echo(
            f"Note: {', '.join(situation.unrecorded_files)} is there all the same: this checkout was "
            f"{Standing.UNRECORDED.value}. `distillpatch status` lists the edits; to take them back, restore the files "
            f"from git or install ultralytics {situation.checkout.release} anew.",
            err=True,
        )


def _tell_what_is_imported(checkout: Checkout) -> None:
    """Warn when Python, started elsewhere, would import another ultralytics: multi-GPU workers would not distill."""
    place = first_holding(import_places(os.environ))
    if place and place.package.samefile(checkout.package):
        click.echo(f"Python imports this ultralytics, from {place.name}.", err=True)
        return
    imported = f"another ultralytics, {place.package}, from {place.name}" if place else "no ultralytics"
    click.echo(
        f"Warning: Python imports {imported}. Training started in another folder, as the workers of multi-GPU training "
        f"are, will not distill. To make Python import this one: {_remedy(checkout, place)}",
        err=True,
    )


def _remedy(checkout: Checkout, imported_from: Place | None) -> str:
    is_project = any((checkout.root / name).is_file() for name in ("pyproject.toml", "setup.py"))
    overruled = imported_from is not None and imported_from.name == PYTHON_PATH  # which comes before what is installed
    return (
        f"pip install -e {checkout.root}"
        if is_project and not overruled
        else f"put {checkout.root} first on PYTHONPATH"
    )


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise DistillpatchError("the current folder does not exist any more; change to one that does") from error


def _write(text: bytes, file: Path, checkout: Checkout) -> None:
    """Write a diff to a file, though not to one of those that it is about."""
    if Path(os.path.realpath(file)).is_relative_to(os.path.realpath(checkout.package)):
        raise DistillpatchError(f"{file} lies in the package itself: name a file elsewhere for the diff")
    try:
        file.write_bytes(text)
    except OSError as error:
        raise DistillpatchError(f"cannot write {file}: {error.strerror}") from error


def _show(text: bytes) -> None:
    """Write a diff to stdout: in colors to a terminal, byte by byte to anything else."""
    context = click.get_current_context()
    if sys.stdout.isatty() and context.color is not False:
        click.echo(colored(text), nl=False)
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text)
