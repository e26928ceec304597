"""Run distillpatch, as ``distillpatch`` or ``python -m distillpatch``."""

from __future__ import annotations

import gc
import sys

_INSTALL = "Install distillpatch, for example with pipx, and run what that has installed."


def start() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends it as quietly as later."""
    if sys.version_info < (3, 10):  # noqa: UP036 - from a clone, any Python may run this
        running = ".".join(map(str, sys.version_info[:2]))
        sys.exit(f"Error: distillpatch needs Python 3.10 or newer, and this is {running}. {_INSTALL}")
    gc.disable()  # syntax trees are many small objects that live to the end of this short process anyway
    try:
        from distillpatch.cli import main
        from distillpatch.click_group import Settings

        name = "distillpatch" if sys.argv[0].endswith(("distillpatch", ".exe")) else "python -m distillpatch"
        main(prog_name=name, obj=Settings(ends_process=True))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "distillpatch":
            raise
        sys.exit(f"Error: {error.name} is not installed for {sys.executable}. {_INSTALL}")
    except KeyboardInterrupt:
        if sys.stderr is not None:
            print("Interrupted. Nothing was changed.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    start()
