"""The figures that a run shows: distill_columns.py."""

from __future__ import annotations

from promises import Break

COLUMNS = "patches/distill_columns.py"

BREAKS = (
    Break(
        "results.csv has the three losses",
        COLUMNS,
        'if prefix == "train" else {}',
        "if False else {}",
        "display::results_csv and 8.2.50",
    ),
    Break(
        "the curves are upstream's and ours",
        COLUMNS,
        "curve if curve < first else curve + len(ours)",
        "curve",
        "display::curves and 8.0.136",
    ),
    Break(
        "the losses shown are means over the epoch",
        COLUMNS,
        "self[column] = (self[column] * self.batches + value) / (self.batches + 1)",
        "self[column] = value",
        "display::means_over and 8.2.50",
    ),
    Break(
        "the means begin anew with each epoch",
        COLUMNS,
        "        self.batches = 0\n        self.update",
        "        self.update",
        "display::means_over and 8.2.50",
    ),
    Break(
        "without distillation the figure of the curves is upstream's own",
        COLUMNS,
        "    if not ours:\n",
        "    if False:\n",
        "display::upstreams_own and 8.2.50",
    ),
    Break(
        "each run in a folder has columns of its own numbers",
        COLUMNS,
        "            yield axes, curve if curve < first else curve + len(ours)",
        "            yield axes, curve",
        "arguments::several_runs and 8.2.50",
    ),
    Break(
        "results with other columns are set aside",
        COLUMNS,
        "    file.replace(aside)\n",
        "    return\n",
        "teacher_files::set_aside and 8.3.200",
    ),
    Break(
        "results are set aside under a name that is free",
        COLUMNS,
        'if not (name := file.with_name(f"earlier_results{n}.csv")).exists()',
        'if (name := file.with_name(f"earlier_results{n}.csv"))',
        "teacher_files::set_aside and 8.3.200",
    ),
)
