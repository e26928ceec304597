"""What a checkout is like: a page of one screen for people, a document for programs."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distillpatch.commands import Situation, Standing
from distillpatch.disk_lines import Places, plans_on_disk
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import MISSING, Outcome, Place, Plan, found_by_hand
from distillpatch.engine.refusal import explain
from distillpatch.ledger.survey import Condition
from distillpatch.patch_sets import built_in
from distillpatch.report.modifications import outcome_report, section
from distillpatch.report.page import Block, Cell, Line, Span, Table
from distillpatch.tree.environment import Place as ImportPlace

_COLORS = {Standing.NOT_PATCHED: "bold", Standing.PATCHED: "bold green"}


@dataclass(frozen=True)
class Context:
    """What is known besides the checkout.

    Attributes:
        options: What names the same checkout in a command that a user is advised to run.
        places: Where each modification is on disk, by patch set and number.
        edited: Those of which a place was edited away since.
        imported: The place that Python imports ultralytics from.
    """

    options: Sequence[str]
    places: Places
    edited: Collection[tuple[str, int]]
    imported: ImportPlace | None

    def command(self, *words: str) -> str:
        """Return a command for this checkout, to be pasted into a shell."""
        return shlex.join(["distillpatch", *words, *self.options])


def status_page(situation: Situation, context: Context, *, verbose: bool) -> Iterator[Block]:
    """Yield what is there, what fits, what is wrong, and what to do next."""
    plans = plans_on_disk(situation)
    yield Line(f"ultralytics {situation.checkout.release}: ", Span(*_verdict(situation, plans)))
    for path, condition in situation.conditions.items():
        if condition is not Condition.INTACT:
            is_gone = condition is Condition.RESTORED and situation.state and situation.state.original(path) is None
            yield f"  {path}: {'removed since, distillpatch had added it' if is_gone else condition.value}"
    if situation.obstacle:
        yield f"Which modifications fit is unknown: {situation.obstacle}"
    for patch_set, plan in zip(situation.wanted, plans, strict=False):
        if len(plans) > 1:
            yield Line(f"patch set {patch_set.name}: {patch_set.title}")
        yield _table(patch_set, plan, context, verbose=verbose)
        yield from _problems(plan, verbose=verbose)
    yield from _next_steps(situation, plans, context)


def standing_text(situation: Situation) -> str:
    """Return what a checkout is to distillpatch, with who patched it and when."""
    state = situation.state
    if state is None or not situation.is_recorded:
        return situation.standing.value
    return f"{situation.standing.value} (by distillpatch {state.version}, {local_time(state.applied_at)})"


def local_time(time: str) -> str:
    """Return a time as people read it: in their time zone, to the minute."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError, OSError):
        return time


def status_report(situation: Situation, context: Context) -> dict[str, Any]:
    """Return what ``status`` knows, for programs."""
    state = situation.state
    imported = context.imported
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
        **_plans_report(situation, context),
        "imported": str(imported.package) if imported else None,
        "imports_this": imported is not None and imported.package.samefile(situation.checkout.package),
    }


def _plans_report(situation: Situation, context: Context) -> dict[str, Any]:
    plans = plans_on_disk(situation)
    return {
        "modifications": [
            {
                **outcome_report(outcome, context.places.get((patch_set.name, outcome.modification.number), ())),
                "edited": (patch_set.name, outcome.modification.number) in context.edited,
                "patch_set": patch_set.name,
            }
            for patch_set, plan in zip(situation.wanted, plans, strict=False)
            for outcome in plan.outcomes
        ],
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
    }


def is_intact(situation: Situation) -> bool:
    """Return whether the checkout is patched by this distillpatch and not edited since: what --check asks."""
    return situation.standing is Standing.PATCHED


def _verdict(situation: Situation, plans: Sequence[Plan]) -> tuple[str, str]:
    text = standing_text(situation)
    color = _COLORS.get(situation.standing, "bold magenta")
    if situation.standing is Standing.NOT_PATCHED:
        outcomes = [outcome for plan in plans for outcome in plan.outcomes]
        misfits = sum(bool(outcome.rejections) for outcome in outcomes)
        count = len(outcomes)
        if misfits:
            return f"{text}, {misfits} of {count} modifications do not fit", "bold red"
        text = f"{text}, all {count} modifications fit"
    return text, color


def _table(patch_set: PatchSet, plan: Plan, context: Context, *, verbose: bool) -> Table:
    by_hand = _numbers_by_hand(plan)
    rows: list[list[Cell]] = []
    for outcome in plan.outcomes:
        modification = outcome.modification
        key = patch_set.name, modification.number
        if modification.number in by_hand:
            state = Span("by hand", "magenta")
        elif outcome.rejections:
            state = Span("does not fit", "red")
        elif key in context.edited:
            state = Span("edited", "magenta")
        else:
            state = Span("OK", "green")
        rows.append([str(modification.number), section(modification), state, modification.title])
        if verbose:
            where = _where(context.places.get(key, ()))
            rows += [["", "", "", Span(each, "dim")] for each in where]
    return Table((">no.", "section", "state", "modification" if verbose else "~modification"), rows)


def _where(places: Sequence[Place]) -> Iterator[str]:
    """Yield places, those of one file together: ``ultralytics/engine/trainer.py:47, 173``."""
    lines: dict[str, list[str]] = {}
    for place in places:
        lines.setdefault(place.path, []).append(str(place.line))
    yield from (f"{path}:{', '.join(numbers)}" for path, numbers in lines.items())


def _problems(plan: Plan, *, verbose: bool) -> Iterator[Block]:
    if verbose:
        for outcome in _misfits(plan):
            yield ""
            yield explain(outcome, plan.release)
    else:
        yield from _reasons(plan)
    for extent in found_by_hand(plan):
        yield f"by hand: {extent}"
    for obstacle in plan.removal.obstacles if plan.removal else ():
        yield f"cannot be taken out: {obstacle}"
    for version in plan.own_versions:
        yield f"does not distill: {version}"
    for note in plan.notes:
        yield f"left as it is: {note}"


def _reasons(plan: Plan) -> Iterator[str]:
    """Yield why modifications do not fit, in a line each; those together that lack the same file."""
    numbers: dict[str, list[str]] = {}
    for outcome in _misfits(plan):
        attempt = outcome.rejections[0].foremost
        lacks_file = attempt.reason == MISSING
        place = attempt.alternative.path if lacks_file else f"{attempt.alternative.path}, {attempt.alternative.scope}"
        numbers.setdefault(f"{place}: {attempt.reason}", []).append(str(outcome.modification.number))
    yield from (f"{', '.join(those)}: {reason}" for reason, those in numbers.items())


def _numbers_by_hand(plan: Plan) -> set[int]:
    return {modification.number for modification, _ in plan.by_hand}


def _misfits(plan: Plan) -> list[Outcome]:
    """Return what does not fit, but for what was made by hand: whether that fits is known once it is taken out."""
    by_hand = _numbers_by_hand(plan)
    return [outcome for outcome in plan.outcomes if outcome.rejections and outcome.modification.number not in by_hand]


def _next_steps(situation: Situation, plans: Sequence[Plan], context: Context) -> Iterator[Block]:
    misfit = next((outcome for plan in plans for outcome in _misfits(plan)), None)
    made = [plan.removal for plan in plans if plan.by_hand]
    if situation.state is not None and not situation.is_recorded:
        adopt = {} if situation.obstacle else {"To adopt it": context.command("apply")}
        steps = {**adopt, "To undo it": context.command("revert")}
    elif situation.state is not None and situation.is_reached and not situation.is_outdated:
        train = {} if context.edited or situation.obstacle else train_step(situation)
        steps = {**train, "To undo": context.command("revert")}
    elif made and all(removal is not None and not removal.obstacles for removal in made):
        steps = {"To take the edits out and apply": context.command("apply", "--replace-hand-edits")}
    elif made:
        yield f"Undo these edits first, for example by installing {situation.checkout.release_name} again."
        return
    elif misfit is not None:
        steps = {"To see why": context.command("explain", str(misfit.modification.number))}
    elif not plans:
        return
    else:
        steps = {"To see the change": context.command("diff"), "To apply it": context.command("apply")}
    yield from steps_lines(steps)


def train_step(situation: Situation) -> dict[str, str]:
    """Return how to train with a teacher, where the patch sets let it: others may come without distillation."""
    distills = built_in().name in (patch_set.name for patch_set in situation.wanted)
    return {"To train": "yolo train model=yolov8n.yaml data=data.yaml model_t=teacher.pt"} if distills else {}


def steps_lines(steps: Mapping[str, str]) -> Iterator[Line]:
    """Yield what to do next: a command each, one below the other."""
    width = max(map(len, steps)) + 1
    for what, command in steps.items():
        yield Line(f"{what + ':':{width}} ", Span(command, "cyan"))
