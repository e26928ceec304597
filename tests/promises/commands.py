"""What the commands do, and what they say."""

from __future__ import annotations

from promises import Break

CLI = "distillpatch/cli.py"
CONSOLE = "distillpatch/console.py"
GROUP = "distillpatch/click_group.py"
COMMANDS = "distillpatch/commands.py"
DIFF = "distillpatch/report/diff.py"

BREAKS = (
    Break(
        "a second apply changes nothing",
        COMMANDS,
        "        return there == [(each.name,",
        "        return not there == [(each.name,",
        "cli::there_and_back and 8.2.50",
    ),
    Break(
        "an upgrade of the release is told",
        COMMANDS,
        "Standing.RESTORED if same_release else Standing.OVERWRITTEN",
        "Standing.PATCHED",
        "cli::upgraded",
    ),
    Break(
        "edits after the apply are told",
        COMMANDS,
        "            return Standing.EDITED\n",
        "            return Standing.PATCHED\n",
        "cli::edited",
    ),
    Break(
        "uncommitted changes are told",
        COMMANDS,
        "        return own and uncommitted(",
        "        return [] and uncommitted(",
        "cli::uncommitted",
    ),
    Break(
        "diff after apply shows what was changed",
        COMMANDS,
        "FileChange(file.path, file.original, file.patched)",
        "FileChange(file.path, file.patched, file.patched)",
        "cli::there_and_back and 8.2.50",
    ),
    Break(
        "stdout holds nothing but the diff",
        CONSOLE,
        "            to_stderr(line)\n",
        "            to_stdout(line)\n",
        "cli::all_that_stdout_holds",
    ),
    Break(
        "a dry run writes nothing",
        CLI,
        "        show_diff(checkout, situation.in_package(situation.run().changes))\n        return None\n",
        "        commands.reach(checkout, lambda _: situation.wanted)\n"
        "        show_diff(checkout, situation.in_package(situation.run().changes))\n        return None\n",
        "cli::there_and_back and 8.2.50",
    ),
    Break(
        "what a user can cause is no traceback",
        GROUP,
        "        except (DistillpatchError, OSError) as error:\n",
        "        except ZeroDivisionError as error:\n",
        "cli::not_a_checkout",
    ),
    Break(
        "--exit-code tells that there is a difference",
        CLI,
        "    if exit_code and any(change.before != change.after for change in changes):\n        sys.exit(1)\n",
        "    if exit_code and any(change.before != change.after for change in changes):\n        sys.exit(0)\n",
        "cli::exit_code",
    ),
    Break(
        "a reader that stops early is no error",
        GROUP,
        "if _is_unread(error):",
        "if False:",
        "cli::stops_early",
    ),
    Break(
        "what fails after the last change does not change the exit code",
        GROUP,
        "            if options.done:\n",
        "            if False:\n",
        "endings::after_the_last_change",
    ),
    Break(
        "Ctrl-C is told with what was seen of the tree",
        GROUP,
        "        if options.at_start == mark(options.package):\n",
        "        if True:\n",
        "endings::ctrl_c_tells",
    ),
    Break(
        "Ctrl-C once a command is over changes nothing of what it tells",
        GROUP,
        "        if options.ends_process:\n",
        "        if False:\n",
        "endings::once_the_command_is_over",
    ),
    Break(
        "NO_COLOR is honoured",
        "distillpatch/report/page.py",
        'variables.get("NO_COLOR")',
        "None",
        "cli::colors",
    ),
    Break(
        "git takes the diff of a file without a final newline",
        DIFF,
        'b"\\n\\\\ No newline at end of file\\n"',
        'b"\\n"',
        "render",
    ),
    Break(
        "the command line starts without torch",
        CLI,
        "import os\n",
        "import os\nimport unittest.mock\nimport importlib\nimportlib.import_module('torch')\n",
        "cli::heavy",
    ),
    Break(
        "what is cut is marked in the characters of the terminal",
        "distillpatch/report/page.py",
        'return "…" if self.has_pictures else "..."',
        'return "…"',
        "encodings::prints_what and status",
    ),
    Break(
        "names are as wide as they are shown",
        "distillpatch/report/page.py",
        "    blocks = (_shown(block, out) for block in blocks)  # before columns are counted\n",
        "",
        "encodings::prints_what and compare",
    ),
    Break(
        "messages are in the encoding of the terminal",
        "distillpatch/streams.py",
        "    click.echo(text, file=sys.stderr, err=True)\n",
        "    click.echo(text, err=True)\n",
        "encodings::prints_what and ascii",
    ),
    Break(
        "a teacher that was measured otherwise has no gap to close",
        "distillpatch/runs.py",
        'VALIDATION = ("data", "split", "imgsz", ',
        'VALIDATION = ("data", ',
        "runs::measured_otherwise and imgsz",
    ),
    Break(
        "a run is one line of a terminal, whose ends are there",
        "distillpatch/report/page.py",
        "        folded[longest] -= 1\n",
        "        break\n",
        "runs::one_line_a_run",
    ),
    Break(
        "an output that is closed is one error",
        "distillpatch/streams.py",
        "    if sys.stdout is None or sys.stderr is None:\n",
        "    if False:\n",
        "endings::closed_or_full",
    ),
    Break(
        "the user's work is looked for without the lock",
        COMMANDS,
        "        commit(held, run.changes, run.state)\n",
        "        commit(held, run.changes, run.state)\n        _ = Reached(situation, run).unsaved\n",
        "git::without_the_lock",
    ),
    Break(
        "the pager is not one that a repository names",
        "distillpatch/tree/git.py",
        'os.environ | {"GIT_DIR": os.devnull}',
        "os.environ",
        "messages::which_pager",
    ),
    Break(
        "the pager is not one that is in the checkout",
        "distillpatch/report/pager.py",
        'less = find_program("less", here)',
        'less = "less"',
        "messages::no_pager_of_the_checkout",
    ),
    Break(
        "a pipe waits for nothing that only a terminal needs",
        "distillpatch/report/modifications.py",
        "highlighted=highlighted",
        "highlighted=True",
        "cli::waits_for_nothing",
    ),
    Break(
        "no title is cut on a screen of 80 columns",
        "patches/07-teacher-mode.patch",
        "# 2.7  Each epoch starts with the teacher in its mode.\n",
        "# 2.7  At the start of an epoch the teacher is put into its own mode.\n",
        "messages::fits_on_a_screen",
    ),
    Break(
        "apply is told on one screen",
        "distillpatch/report/diff.py",
        "_stat_lines(_together(_stats(changes, map(_file_diff, changes))), len(changes))",
        "_stat_lines(_stats(changes, map(_file_diff, changes)), len(changes))",
        "messages::fit_on_a_screen",
    ),
    Break(
        "what revert removes is not told as restored",
        "distillpatch/report/results.py",
        "    removed = sum(change.after is None for change in changes)\n",
        "    removed = 0\n",
        "messages::fit_on_a_screen",
    ),
    Break(
        "a Python that is too old is told",
        "distillpatch/__main__.py",
        "sys.version_info < (3, 10)",
        "sys.version_info < (3, 0)",
        "endings::too_old",
    ),
    Break(
        "an option before its command is told",
        GROUP,
        "        if not having:\n",
        "        if True:\n",
        "errors::what_next",
    ),
    Break(
        "each JSON document has the fields that are documented",
        "distillpatch/report/documents.py",
        '        "undo": context.command("revert"),\n',
        "",
        "commands_in_docs::fields_that_are_documented",
    ),
)
