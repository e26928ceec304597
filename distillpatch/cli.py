"""The command line: parse, call one function, show what it returns."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distillpatch import __version__, streams
from distillpatch.click_group import Group, settings
from distillpatch.console import (
    current_output,
    note,
    note_waiting,
    print_page,
    show_diff,
    show_page,
    write_diff,
)
from distillpatch.options import (
    PATH_VARIABLE,
    modification_number,
    of_a_folder,
    on_a_checkout,
    replacing_hand_edits,
    shown,
)
from distillpatch.streams import print_json

# LibCST, rich and what needs them are imported by the commands that do: --help and completion need a tenth of the time.
if TYPE_CHECKING:
    from distillpatch.commands import Reached, Situation
    from distillpatch.engine.patchset import PatchSet
    from distillpatch.report.status import Context
    from distillpatch.tree.checkout import Checkout
    from distillpatch.wanted import Wanted

_EXAMPLES = """
\b
Examples:
  distillpatch status                          what is there and what fits
  distillpatch diff                            what would change
  distillpatch apply ~/yolo                    change it
  yolo train model=yolov8n.yaml data=data.yaml model_t=teacher.pt
  distillpatch compare runs/detect             what the teacher gave
  distillpatch revert ~/yolo                   restore every file byte for byte

PATH is a checkout, the ultralytics folder in it, or a site-packages folder. Without it (and without
DISTILLPATCH_ULTRALYTICS_PATH) the checkout around or in the current folder is used, or else the ultralytics that
Python would import.
"""

_STDOUT = "-"


@click.group(cls=Group, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="distillpatch")
def main() -> None:
    """Make ultralytics train YOLO models by knowledge distillation, and undo it."""
    streams.prepare()


@main.command()
@on_a_checkout
@of_a_folder
@replacing_hand_edits
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True),
    default=_STDOUT,
    help="Write the diff to this file.",
)
@click.option(
    "--exit-code",
    is_flag=True,
    callback=lambda context, _, value: settings(context).check(value),
    help="Exit with 1 if there is a difference and with 2 for an error.",
)
def diff(
    checkout: Checkout, patch_set: PatchSet | None, replace_hand_edits: bool, output: str, exit_code: bool
) -> None:
    """Show what apply would change or has changed."""
    from distillpatch import commands
    from distillpatch.report.diff import unified_diff
    from distillpatch.wanted import as_it_is, with_set

    wanted = with_set(patch_set) if patch_set else as_it_is
    changes = commands.examine(checkout, wanted, replace_hand_edits=replace_hand_edits).difference()
    if output != _STDOUT:
        write_diff(unified_diff(changes), Path(output), checkout)
    if output == _STDOUT or settings().as_json:
        show_diff(checkout, changes)
    if exit_code and any(change.before != change.after for change in changes):
        sys.exit(1)


@main.command()
@on_a_checkout
@of_a_folder
@replacing_hand_edits
@click.option("--dry-run", is_flag=True, help="Show the diff and write nothing.")
def apply(checkout: Checkout, patch_set: PatchSet | None, replace_hand_edits: bool, dry_run: bool) -> None:
    """Apply a patch set completely or not at all."""
    from distillpatch.patch_sets import built_in
    from distillpatch.report.documents import applied_report
    from distillpatch.report.results import applied_notes, applied_page, import_note
    from distillpatch.report.status import standing_text
    from distillpatch.wanted import with_set

    wanted = with_set(patch_set or built_in())
    reached = _reach(checkout, wanted, dry_run, replace_hand_edits=replace_hand_edits)
    if reached is None:
        return
    context = _context(reached.situation)
    note([reached.recovered])
    if settings().as_json:
        print_json(applied_report(reached, context))
    elif reached.run is None:
        say = streams.to_stderr if dry_run else streams.to_stdout
        say(f"Nothing to do: {standing_text(reached.situation)}.")
    else:
        print_page(applied_page(reached, context))
        note(applied_notes(reached))
        note([import_note(checkout, context.imported)])


@main.command()
@on_a_checkout
@click.option("--patches", "name", metavar="NAME", help="Revert this patch set alone. See status for the names.")
@click.option("--dry-run", is_flag=True, help="Show the diff and write nothing.")
@click.option("--keep-edited", is_flag=True, help="Leave files as they are where edits overlap.")
@click.option("--restore-original", is_flag=True, help="Restore such files and keep yours as *.edited.")
def revert(checkout: Checkout, name: str | None, dry_run: bool, keep_edited: bool, restore_original: bool) -> None:
    """Undo what was applied and nothing else."""
    from distillpatch.ledger.undo import Edited
    from distillpatch.report.documents import reverted_report
    from distillpatch.report.results import nothing_to_revert, reverted_page, unrecorded_notes
    from distillpatch.wanted import without_set

    if keep_edited and restore_original:
        raise click.UsageError("--keep-edited and --restore-original exclude each other: expected one of them")
    edited = Edited.KEEP if keep_edited else Edited.SET_ASIDE if restore_original else Edited.REFUSE
    reached = _reach(checkout, without_set(name), dry_run, edited=edited)
    if reached is None:
        return
    note([reached.recovered])
    if settings().as_json:
        print_json(reverted_report(reached))
    elif reached.run is None or reached.run.undo is None:
        say = streams.to_stderr if dry_run else streams.to_stdout
        say(f"Nothing to do: {nothing_to_revert(reached.situation)}.")
        note(unrecorded_notes(reached.situation))
    else:
        print_page(reverted_page(reached, reached.run.undo))


@main.command()
@on_a_checkout
@click.option("-v", "--verbose", is_flag=True, help="Show where each modification goes and why one does not fit.")
@click.option(
    "--check",
    is_flag=True,
    callback=lambda context, _, value: settings(context).check(value),
    help="Exit with 1 if the checkout is not patched and intact and with 2 for an error.",
)
def status(checkout: Checkout, verbose: bool, check: bool) -> None:
    """Show what is there and what fits."""
    from distillpatch import commands
    from distillpatch.report.results import import_note
    from distillpatch.report.status import is_intact, status_page, status_report

    situation = commands.examine(checkout)
    context = _context(situation)
    if settings().as_json:
        print_json(status_report(situation, context))
    else:
        print_page(status_page(situation, context, verbose=verbose))
        note([import_note(checkout, context.imported)])
    if check and not is_intact(situation):
        sys.exit(1)


@main.command(epilog="For example: distillpatch explain 7")
@click.argument("number", type=modification_number)
@on_a_checkout
@of_a_folder
def explain(checkout: Checkout, patch_set: PatchSet | None, number: int) -> None:
    """Show one modification and its diff here."""
    from distillpatch import commands
    from distillpatch.patch_sets import built_in
    from distillpatch.report.modifications import modification_page, modification_report

    patch_set = patch_set or built_in()
    plan, by_hand = commands.explain_one(checkout, patch_set, number)
    if settings().as_json:
        print_json(modification_report(patch_set, plan, by_hand))
    else:
        show_page(modification_page(patch_set, plan, by_hand, highlighted=current_output().is_terminal))


@main.command()
@shown
@click.argument("path", type=click.Path(path_type=Path), required=False, envvar=PATH_VARIABLE)
def doctor(path: Path | None) -> None:
    """Show what matters on this machine."""
    from distillpatch.doctor import diagnose
    from distillpatch.report.doctor import doctor_page, doctor_report

    diagnosis = diagnose(os.environ, path)
    if settings().as_json:
        print_json(doctor_report(diagnosis))
    else:
        print_page(doctor_page(diagnosis))


@main.command(epilog="For example: distillpatch compare runs/detect")
@shown
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--metric", help="Column of results.csv to compare. By default mAP50-95 of the task.")
@click.option("--by", type=click.Choice(["best", "last"]), default="best", help="Which epoch of each run counts.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the curves into this .svg file (or .png with matplotlib).",
)
def compare(runs: tuple[Path, ...], metric: str | None, by: str, plot: Path | None) -> None:
    """Show what a teacher gave.

    RUN is the folder of a training run, with its results.csv and args.yaml, or a folder of such folders. Runs with the
    same arguments are compared by seed.
    """
    from distillpatch.comparison import compare_folders
    from distillpatch.report import chart
    from distillpatch.report.runs import comparison_curves, comparison_page, comparison_report

    comparison = compare_folders(runs, metric, by)
    if plot is not None:
        chart.save(comparison_curves(comparison), "What a teacher gave", comparison.metric, plot)
        note([f"Curves: {plot}"])
    if settings().as_json:
        print_json(comparison_report(comparison))
    else:
        out = current_output()
        print_page(comparison_page(comparison, out.width, pictures=out.has_pictures))


@main.command("help", hidden=True)
@shown
@click.argument("name", required=False)
@click.pass_context
def show_help(context: click.Context, name: str | None) -> None:
    """Show the help of a command."""
    parent = context.find_root()
    found = main.get_command(parent, name) if name else None
    if name and found is None:
        raise main.no_such_command(name, context)
    click.echo(found.get_help(click.Context(found, info_name=name, parent=parent)) if found else parent.get_help())


def _reach(checkout: Checkout, wanted: Wanted, dry_run: bool, **how: Any) -> Reached | None:
    """Change a checkout as wanted; show what a dry run would change, and return None unless there is nothing to do."""
    from distillpatch import commands

    if dry_run:
        situation = commands.examine(checkout, wanted, **how)
        if situation.is_reached:
            return commands.nothing_to_do(situation)
        show_diff(checkout, situation.in_package(situation.run().changes))
        return None
    reached = commands.reach(checkout, wanted, say=note_waiting(checkout), **how)
    if reached.run is not None:
        settings().done = "All changes of this run are in place."
    return reached


def _context(situation: Situation) -> Context:
    from distillpatch.disk_lines import edited_away, places_on_disk
    from distillpatch.report.status import Context
    from distillpatch.tree.environment import first_holding, import_places

    checkout = situation.checkout
    places = places_on_disk(situation)
    return Context(
        [str(checkout.root)] if checkout.is_named else [],
        places,
        edited_away(situation, places),
        first_holding(import_places(os.environ)),
    )
