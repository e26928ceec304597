"""Checkouts that people have changed: what goes around the patches, and what does the same."""

from __future__ import annotations

from promises import Break

OWN_VERSIONS = "distillpatch/engine/own_versions.py"
NOTATION = "distillpatch/engine/notation.py"
SOURCE = "distillpatch/engine/source.py"
CHECKOUT = "distillpatch/tree/checkout.py"

BREAKS = (
    Break(
        "a copy of a patched class is named",
        OWN_VERSIONS,
        "_COPY = 2",
        "_COPY = 200",
        "own_versions::copy_under_another_name",
    ),
    Break(
        "a class that a function makes is named",
        OWN_VERSIONS,
        "            blocks.extend(getattr(node, name, ()))\n",
        "            blocks.extend(getattr(node, name, ()) if node is tree else ())\n",
        "own_versions::function_makes",
    ),
    Break(
        "a mixin is named that a trainer is combined with",
        OWN_VERSIONS,
        " or package.is_mixed_in(definition)",
        "",
        "own_versions::mixin",
    ),
    Break(
        "a mixin is not named whose method no trainer has",
        OWN_VERSIONS,
        "takewhile(lambda looked_up: looked_up.key not in self.owners, self._looked_up(definition))",
        "self._looked_up(definition)",
        "own_versions::no_trainer_has or goes_first",
    ),
    Break(
        "a method that calls the inherited one is no version of its own",
        OWN_VERSIONS,
        " and not any(_calls_inherited(n, node.name) for n in ast.walk(node))",
        "",
        "own_versions::nothing_else",
    ),
    Break(
        "a class that the patch set relies on may not have its own version",
        OWN_VERSIONS,
        'used = used_by.get(definition.key, "")',
        'used = ""',
        "own_versions::told_apart or loop_of_its_own",
    ),
    Break(
        "a loss of the owner's is shown",
        NOTATION,
        'self._others[header["kind"]] += alternatives',
        "pass",
        "notes::owner and 8.2.50",
    ),
    Break(
        "a merge conflict is told as such",
        SOURCE,
        'if any(mark[1] == "<" for mark in marks):',
        "if False:",
        "source::not_python",
    ),
    Break(
        "a statement of the owner's above any other is no reason to refuse",
        "patches/15-given-teacher.patch",
        "  if resume:\n      ...\n      try:\n",
        "  if resume:\n      try:\n",
        "variants::logging_above and 8.2.50",
    ),
    Break(
        "a package of another name is told as such",
        CHECKOUT,
        "if trainer.is_file() and (version := version_of(package)):",
        "if False and (version := version_of(package)):",
        "checkout::another_name",
    ),
    Break(
        "a checkout that is refused is counted as refused",
        "tools/forks.py",
        "            return Result(name, release, Verdict.REFUSED,",
        "            return Result(name, release, Verdict.PATCHED,",
        "forks::gets_a_row",
    ),
)
