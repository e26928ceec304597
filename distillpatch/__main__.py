"""Run distillpatch as ``python -m distillpatch``."""

from distillpatch.cli import main

if __name__ == "__main__":
    main(prog_name="python -m distillpatch")
