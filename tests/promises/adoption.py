"""Adoption: trees that were patched and have no state."""

from __future__ import annotations

from promises import Break

ADOPTION = "distillpatch/adoption.py"
COMMANDS = "distillpatch/commands.py"

BREAKS = (
    Break(
        "what a clone was before is found in its past",
        "distillpatch/tree/git.py",
        "    return next(brought, None)\n",
        "    return None\n",
        "adoption::clone_of_a_patched",
    ),
    Break(
        "a commit is ours only if it holds what apply makes",
        ADOPTION,
        "    return changes if led else ()\n",
        "    return changes\n",
        "adoption::byte_more",
    ),
    Break(
        "modules that are gone do not hide a patched tree",
        ADOPTION,
        "change.before is after[change.path] is None",
        "False",
        "adoption::git_clean",
    ),
    Break(
        "a patched tree is known without its modules",
        ADOPTION,
        "    return bool(_added(now) or _importing(patch_set, now))",
        "    return bool(_added(now))",
        "adoption::without_the_modules",
    ),
    Break(
        "a module that people add by hand is not ours",
        ADOPTION,
        " - by_hand\n",
        "\n",
        "cli::made_by_hand",
    ),
    Break(
        "a tree that lost its state is not taken for one that was never patched",
        COMMANDS,
        "return not self.wanted and not self.loss_of_state",
        "return not self.wanted",
        "cli::stripped",
    ),
    Break(
        "a tree that lost its state has no diff",
        COMMANDS,
        '        """\n        self.require_state()\n        if self.state is None or',
        '        """\n        if self.state is None or',
        "cli::stripped",
    ),
    Break(
        "a tree that lost its state is not explained as if it were pristine",
        COMMANDS,
        "    situation.require_state()\n",
        "",
        "cli::stripped",
    ),
    Break(
        "what is committed with our lines is not called unsaved",
        COMMANDS,
        "        return own and uncommitted(",
        "        return own or uncommitted(",
        "adoption::clone_of_a_patched",
    ),
    Break(
        "an adopted state has the release that was patched",
        ADOPTION,
        "        release=release,\n",
        "        release=checkout.release,\n",
        "adoption::came_since",
    ),
    Break(
        "only the last commit that brought the modules is looked at",
        "distillpatch/tree/git.py",
        "each for each in commits if",
        "each for each in reversed(commits) if",
        "adoption::another_story",
    ),
    Break(
        "the doctor says of a checkout what status does",
        "distillpatch/doctor.py",
        "        return examine(locate(package, Path.cwd(), ())).standing.value\n",
        "        return 'patched'\n",
        "cli::left_is_told",
    ),
    Break(
        "a shallow clone is told how to get its past",
        "distillpatch/tree/git.py",
        'if answer.stdout.strip() == b"true":',
        'if answer.stdout.strip() == b"maybe":',
        "adoption::without_the_past",
    ),
    Break(
        "many commits since then do not hide the one that brought the modules",
        "distillpatch/tree/git.py",
        "_COMMITS = 100",
        "_COMMITS = 10",
        "adoption::many_commits",
    ),
    Break(
        "a git that cannot tell the past is told what it lacks",
        "distillpatch/tree/git.py",
        'told and "not a git',
        'not told and "not a git',
        "git::keeps_git",
    ),
    Break(
        "what apply refuses is not advised",
        "distillpatch/report/status.py",
        '{} if situation.obstacle else {"To adopt it"',
        '{"To adopt it"',
        "adoption::not_advised",
    ),
)
