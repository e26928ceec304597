"""Run distillpatch, as ``distillpatch`` or ``python -m distillpatch``."""

from __future__ import annotations

import gc
import sys


def start() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends it as quietly as later."""
    gc.disable()  # syntax trees are many small objects that live to the end of this short process anyway
    try:
        from distillpatch.cli import main
        from distillpatch.click_group import Settings

        name = "distillpatch" if sys.argv[0].endswith(("distillpatch", ".exe")) else "python -m distillpatch"
        main(prog_name=name, obj=Settings(ends_process=True))
    except KeyboardInterrupt:
        if sys.stderr is not None:
            print("Interrupted. Nothing was changed.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    start()
