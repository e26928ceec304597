"""Options that several commands have: which checkout, which patch set, and how to show the result."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from distillpatch.click_group import mark, settings
from distillpatch.console import note, note_waiting
from distillpatch.errors import DistillpatchError

if TYPE_CHECKING:
    from distillpatch.tree.checkout import Checkout

PATH_VARIABLE = "DISTILLPATCH_ULTRALYTICS_PATH"


def shown(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options on how to show its result."""

    def remember(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
        return lambda context, _, value: setattr(settings(context), name, value)

    color = click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        expose_value=False,
        callback=remember("color"),
        help="When to use colors.",
    )
    as_json = click.option(
        "--json", is_flag=True, expose_value=False, callback=remember("as_json"), help="Print one JSON object."
    )
    return color(as_json(command))


def on_a_checkout(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the arguments that name the checkout; it gets the checkout itself."""

    @shown
    @click.argument("path", type=click.Path(path_type=Path), required=False)
    @click.option(
        "--ultralytics-path",
        "named",
        type=click.Path(path_type=Path),
        metavar="PATH",
        multiple=True,
        help="Same as PATH.",
    )
    @wraps(command)
    def located(path: Path | None, named: tuple[Path, ...], **options: Any) -> None:
        from distillpatch.ledger.transaction import recover
        from distillpatch.report.results import checkout_notes
        from distillpatch.tree.checkout import CheckoutError, locate
        from distillpatch.tree.environment import import_places

        given = [*named, *([path] if path else [])]
        if len(given) > 1:
            raise click.UsageError(f"the checkout is named {len(given)} times: expected one PATH")
        from_variable = os.environ.get(PATH_VARIABLE)
        named_by = "--ultralytics-path" if named else "PATH" if path else PATH_VARIABLE
        chosen = given[0] if given else Path(from_variable) if from_variable else None
        try:
            checkout = locate(chosen, _current_folder(), import_places(os.environ), named_by)
        except CheckoutError as error:
            if chosen is not None and not given:
                raise CheckoutError(f"{error}\nThe path is from {PATH_VARIABLE}: change or unset it.") from error
            raise
        settings().package = checkout.package
        note(checkout_notes(checkout))
        note([recover(checkout.package, checkout.release, waiting=note_waiting(checkout))])
        settings().at_start = mark(checkout.package)
        command(checkout, **options)

    return located


def modification_number(text: str) -> int:
    """Return the number that an argument is.

    Raises:
        click.BadParameter: If it is none.
    """
    if not text.isdecimal():
        raise click.BadParameter(f"expected the number of a modification, such as 7, found {text!r}")
    return int(text)


def of_a_folder(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option that names the folder of a patch set; it gets the patch set, or None."""

    @click.option(
        "--patches",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="FOLDER",
        help="Use the patch set in this folder. It is added to those that are applied.",
    )
    @wraps(command)
    def loaded(checkout: Checkout, patches: Path | None, **options: Any) -> None:
        from distillpatch.patch_sets import load

        command(checkout, patch_set=load(patches) if patches else None, **options)

    return loaded


replacing_hand_edits = click.option(
    "--replace-hand-edits", is_flag=True, help="Take out the same modifications where they were made by hand."
)
"""Gives a command the option to take out edits made by hand."""


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise DistillpatchError("the current folder does not exist any more; change to one that does") from error
