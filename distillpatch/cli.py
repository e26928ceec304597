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
from distillpatch.commands import Reached, Situation, Standing, as_it_is, examine, reach, with_set, without_set
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import Plan, explain, found_by_hand
from distillpatch.errors import DistillpatchError, InterruptedRun
from distillpatch.ledger.survey import Condition
from distillpatch.ledger.transaction import recover
from distillpatch.ledger.undo import Edited, Undo
from distillpatch.report.diff import colored, unified_diff
from distillpatch.report.modifications import outcome_lines, outcome_report
from distillpatch.tree.checkout import PYTHON_PATH, Checkout, Place, first_holding, import_places, locate
from distillpatch.tree.patch_folder import built_in, load

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
_LEFT_ADDED = "you edited it, and distillpatch had added it; move it away before the next apply"
_LEFT_EDITED = "it still contains distillpatch's lines; the other files were reverted, so remove these by hand"


class _Group(click.Group):
    """A group whose errors are one message on stderr, with exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InterruptedRun as error:
            click.echo(error, err=True)
            ctx.exit(130)
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


def _of_a_folder(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option that names the folder of a patch set; it gets the patch set, or None."""

    @click.option(
        "--patches",
        type=click.Path(path_type=Path, file_okay=False),
        help="A folder with a patch set of your own, instead of the one that distillpatch comes with.",
    )
    @wraps(command)
    def loaded(checkout: Checkout, patches: Path | None, **options: Any) -> None:
        command(checkout, patch_set=load(patches) if patches else None, **options)

    return loaded


@main.command()
@_on_a_checkout
@_of_a_folder
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
def diff(checkout: Checkout, patch_set: PatchSet | None, output: str, exit_code: bool) -> None:
    """Show what apply would change, or has changed."""
    text = unified_diff(examine(checkout, with_set(patch_set) if patch_set else as_it_is).difference())
    if output == _STDOUT:
        _show(text)
    else:
        _write(text, Path(output), checkout)
    if exit_code and text:
        sys.exit(1)


@main.command()
@_on_a_checkout
@_of_a_folder
@click.option("--dry-run", is_flag=True, help="Show the diff and write nothing.")
def apply(checkout: Checkout, patch_set: PatchSet | None, dry_run: bool) -> None:
    """Apply all modifications of a patch set, or none."""
    wanted = with_set(patch_set or built_in())
    if dry_run:
        situation = examine(checkout, wanted)
        if situation.is_reached:
            click.echo(f"Nothing to do: {_standing(situation)}.", err=True)
        else:
            _show(unified_diff(situation.in_package(situation.run(Edited.REFUSE).changes)))
        return
    reached = reach(checkout, wanted)
    _tell_what_was_recovered(reached.recovered)
    if reached.run is None:
        click.echo(f"Nothing to do: {_standing(reached.situation)}.")
        return
    _tell_what_was_applied(reached)
    _tell_what_is_imported(checkout)


@main.command()
@_on_a_checkout
@click.option("--patches", "name", metavar="NAME", help="Revert this patch set alone; `status` lists the names.")
@click.option("--dry-run", is_flag=True, help="Show the diff and write nothing.")
@click.option(
    "--keep-edited", is_flag=True, help="Leave files as they are in which your edits and distillpatch's overlap."
)
@click.option(
    "--restore-original", is_flag=True, help="Restore such files, and keep the edited ones beside them as *.edited."
)
def revert(checkout: Checkout, name: str | None, dry_run: bool, keep_edited: bool, restore_original: bool) -> None:
    """Undo what was applied, and nothing else."""
    if keep_edited and restore_original:
        raise click.UsageError("--keep-edited and --restore-original exclude each other")
    edited = Edited.KEEP if keep_edited else Edited.SET_ASIDE if restore_original else Edited.REFUSE
    if dry_run:
        situation = examine(checkout, without_set(name))
        if situation.state is None:
            _tell_that_nothing_is_applied(situation, err=True)
        else:
            _show(unified_diff(situation.in_package(situation.run(edited).changes)))
        return
    reached = reach(checkout, without_set(name), edited)
    _tell_what_was_recovered(reached.recovered)
    if reached.run is None or reached.run.undo is None:
        _tell_that_nothing_is_applied(reached.situation)
        return
    _tell_what_was_reverted(reached, reached.run.undo)


@main.command()
@_on_a_checkout
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def status(checkout: Checkout, as_json: bool) -> None:
    """Say what is there, what fits, and what Python would import."""
    situation = examine(checkout)
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
        for patch_set, plan in zip(situation.wanted, situation.stack.plans, strict=True):
            click.echo(f"\npatch set {patch_set.name}: {patch_set.title}")
            _tell_what_fits(plan)
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


def _tell_what_was_applied(reached: Reached) -> None:
    checkout, plans = reached.situation.checkout, reached.plans
    for plan in plans:
        for line in outcome_lines(plan.outcomes):
            click.echo(line)
    modifications = sum(len(plan.outcomes) for plan in plans)
    files = len(reached.situation.stack.changes)
    back = ["distillpatch", "revert", *(["--ultralytics-path", str(checkout.root)] if checkout.is_named else [])]
    click.echo(f"Applied {modifications} modifications to {files} files. To undo: {shlex.join(back)}")
    versions = [version for plan in plans for version in plan.own_versions]
    if versions:
        click.echo(
            "Note: these classes have their own version of a patched method, so training with them does not distill:",
            err=True,
        )
        for version in versions:
            click.echo(f"  {version}", err=True)
    notes = [note for plan in plans for note in plan.notes]
    if notes:
        click.echo("Note: this code of your own adds to the loss as well, and is left as it is:", err=True)
        for note in notes:
            click.echo(f"  {note}", err=True)
    if reached.unsaved:
        unsaved = ", ".join(reached.unsaved)
        click.echo(f"Note: {unsaved} had changes that are not committed to git; they were kept.", err=True)


def _tell_what_was_reverted(reached: Reached, undo: Undo) -> None:
    situation = reached.situation
    assert reached.run is not None and situation.state is not None
    files = {change.path for change in situation.in_package(reached.run.changes)} - set(undo.set_aside.values())
    click.echo(f"Reverted {len(files)} file{'s' * (len(files) != 1)} in {situation.checkout.package}.")
    for path in undo.merged:
        click.echo(f"  {path}: distillpatch's changes are removed, yours are kept")
    for path in undo.left:
        added = situation.state.original(path) is None
        click.echo(f"  {path}: left as it is, {_LEFT_ADDED if added else _LEFT_EDITED}")
    for path, kept in undo.set_aside.items():
        click.echo(f"  {path}: restored; the edited file is now {kept}")
    for path in undo.overwritten:
        click.echo(f"  {path}: left as it is, {Condition.OVERWRITTEN.value}")
    if situation.wanted:
        click.echo(f"Still applied: {', '.join(patch_set.name for patch_set in situation.wanted)}.")


def _tell_that_nothing_is_applied(situation: Situation, *, err: bool = False) -> None:
    click.echo("Nothing to do: not patched.", err=err)
    _tell_what_is_unrecorded(situation)


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
    plans = situation.stack.plans if situation.obstacle is None else ()
    return {
        "path": str(situation.checkout.package),
        "release": situation.checkout.release,
        "standing": situation.standing.name.lower(),
        "applied": None
        if state is None
        else {
            "version": state.version,
            "at": state.applied_at,
            "release": state.release,
            "patch_sets": [{"name": known.name, "title": known.title} for known in state.patch_sets],
        },
        "files": {path: condition.name.lower() for path, condition in situation.conditions.items()},
        "obstacle": situation.obstacle,
        "modifications": [outcome_report(outcome) for plan in plans for outcome in plan.outcomes],
        "made_by_hand": [
            {"number": modification.number, "path": place.path, "line": place.line}
            for plan in plans
            for modification, place in plan.by_hand
        ],
        "notes": [
            {"path": note.place.path, "line": note.place.line, "code": note.code}
            for plan in plans
            for note in plan.notes
        ],
        "own_versions": [
            {"path": version.path, "line": version.line, "class": version.name, "methods": version.methods}
            for plan in plans
            for version in plan.own_versions
        ],
        "imported": str(place.package) if place else None,
        "imports_this": place is not None and place.package.samefile(situation.checkout.package),
    }


def _tell_what_is_unrecorded(situation: Situation) -> None:
    """Say so when revert has nothing to go by, and yet somebody has patched the tree."""
    if situation.unrecorded_files:
        click.echo(
            f"Note: {', '.join(situation.unrecorded_files)} exists although no distillpatch state was found: this "
            f"checkout was {Standing.UNRECORDED.value}. `distillpatch status` lists the edits. To undo them, restore "
            f"the files from git or install ultralytics {situation.checkout.release} again.",
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
