"""Break each promise once and see a test fail: `make breaks`, or `python tools/breaks.py PART-OF-A-NAME...`.

A test that passes whatever the program does shows nothing. Each break below is one change to the program that takes a
promise back; it is made in a copy of the project, and the test that is named beside it has to fail there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.progress import track

PROJECT = Path(__file__).resolve().parent.parent
COPIED = ("distillpatch", "patches", "tests", "tools", "docs", "pyproject.toml", "README.md", "LICENSE", "Makefile")

# How pytest exits if tests ran and some of them failed; any other code says that the test named is not there.
SOME_FAILED = 1


class Break(NamedTuple):
    """A promise, the change that takes it back, and the test that has to notice: a module and, after `::`, a `-k`."""

    promise: str
    file: str
    old: str
    new: str
    test: str


LOSSES = "patches/AddLoss.py"
RUN = "patches/distiller.py"
TEACHERS = "patches/distill_teachers.py"
SETUP = "patches/distill_setup.py"
MODELS = "patches/distill_models.py"
OPTIMIZER = "patches/distill_optimizer.py"
COLUMNS = "patches/distill_columns.py"

BREAKS = (
    # The gradient.
    Break(
        "the feature loss teaches the student",
        RUN,
        "trainer.distillloss(features_s,",
        "trainer.distillloss([s.detach() for s in features_s],",
        "gradient::feature_loss_alone and 8.4.190",
    ),
    Break(
        "the feature loss is stepped by the optimizer",
        "patches/12-optimizer-groups.patch",
        "model_t, distillloss, distillonline, use_muon)",
        "model_t, None, distillonline, use_muon)",
        "gradient::feature_loss_alone and 8.4.190",
    ),
    Break(
        "an offline teacher keeps its statistics",
        TEACHERS,
        "self.trainer.model_t.eval()",
        "self.trainer.model_t.train()",
        "gradient::bit_identical and 8.2.50",
    ),
    Break(
        "an offline teacher is frozen",
        TEACHERS,
        "parameter.requires_grad = self._learns(name)",
        "parameter.requires_grad = True",
        "gradient::bit_identical and 8.2.50",
    ),
    Break(
        "the logit loss teaches the student",
        RUN,
        "Distill_LogitLoss(logits_s, logits_t)",
        "Distill_LogitLoss([s.detach() for s in logits_s], logits_t)",
        "gradient::logit_loss_alone and 8.4.190",
    ),
    Break(
        "an online teacher learns nothing from being imitated",
        LOSSES,
        "t_p.detach().float()",
        "t_p.float()",
        "gradient::learns_nothing and 8.3.200",
    ),
    Break(
        "an online teacher learns its task",
        TEACHERS,
        "self.trainer.model_t(batch)[0].sum()",
        "self.trainer.model_t(batch)[0].sum().detach()",
        "gradient::learns_its_task and 8.2.50",
    ),
    Break(
        "an online teacher is clipped",
        TEACHERS,
        "        nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=10.0)\n",
        "        pass\n",
        "gradient::clipped and 8.0.150",
    ),
    # The cost.
    Break(
        "a step makes one pass of the teacher",
        TEACHERS,
        '            self.model(batch["img"])\n',
        '            self.model(batch["img"])\n            self.model(batch["img"])\n',
        "cost::one_forward_pass and 8.4.190",
    ),
    Break(
        "a step is hardly more work than the floor",
        TEACHERS,
        '            self.model(batch["img"])\n',
        '            self.model(batch["img"])\n            self.model.model[:9](batch["img"])\n',
        "cost::hardly_more_work and 8.4.190",
    ),
    Break(
        "a teacher whose logits nobody compares is spared its head",
        TEACHERS,
        "if not watch.branches:",
        "if False:",
        "cost::spared_its_head and 8.4.190",
    ),
    Break(
        "the pass that ends before the head is upstream's up to there",
        MODELS,
        "else outputs[j] for j in m.f]",
        "else outputs[j] for j in m.f[::-1]]",
        "models::all_layers and 8.0.136",
    ),
    Break(
        "hooks do not survive the step",
        MODELS,
        "        for handle in self._handles:\n            handle.remove()\n",
        "",
        "cost::no_hook_survives and 8.2.50",
    ),
    Break(
        "feature maps are free at the next step",
        RUN,
        "        weight = distill_weight(",
        "        trainer.kept = features_s\n        weight = distill_weight(",
        "cost::free_at_the_next and 8.2.50",
    ),
    Break(
        "the model holds nothing of ours when it is pickled",
        RUN,
        "        self._tell_of_limits()\n",
        "        self._tell_of_limits()\n        student.watch = self.watch_student\n",
        "cost::is_pickled and 8.2.50",
    ),
    # No teacher, no change.
    Break(
        "without a teacher the numbers are the pristine release's",
        SETUP,
        "    args = trainer.args\n    if trainer.resume:",
        "    args = trainer.args\n    torch.rand(1)\n    if trainer.resume:",
        "no_teacher::8.2.50",
    ),
    Break(
        "without a teacher the columns are the pristine release's",
        "patches/02-attributes.patch",
        "= DistillItems()",
        "= DistillItems(dfeaLoss=0.0)",
        "no_teacher::8.4.190",
    ),
    # Several processes.
    Break(
        "the feature loss is kept in step on all ranks",
        RUN,
        "trainer.distillloss = nn.parallel.DistributedDataParallel(trainer.distillloss, device_ids=ids)",
        "pass",
        "several_processes::launcher and 8.2.50",
    ),
    Break(
        "an online teacher is kept in step on all ranks",
        RUN,
        "        self.teacher.wrap_ddp(ids)\n",
        "        pass\n",
        "several_processes::launcher and 8.2.50",
    ),
    Break(
        "a rank without objects does not stop the others",
        MODELS,
        "if self._logits and wrapped is not model:",
        "if False:",
        "several_processes::reaches_boxes and 8.4.130",
    ),
    Break(
        "several ranks make the gradient of one process",
        TEACHERS,
        "loss = loss * torch.distributed.get_world_size()",
        "pass",
        "several_processes::gradient_of_one and copies and 8.3.200",
    ),
    Break(
        "several ranks make the gradient of the feature loss of one process",
        RUN,
        "* weight\n",
        "* weight * (1 if RANK == -1 else 2)\n",
        "several_processes::gradient_of_one and parts and 8.3.200",
    ),
    Break(
        "a teacher that no file holds reaches the workers",
        SETUP,
        "_path_of(model) or _save_beside(model, trainer.save_dir)",
        "_path_of(model) or 'teacher.pt'",
        "several_processes::launcher and 8.3.200",
    ),
    # Precision.
    Break(
        "the losses are computed in float32",
        LOSSES,
        "torch.autocast(device.type, enabled=False)",
        "nullcontext()",
        "losses",
    ),
    # Checkpoints and resuming.
    Break(
        "a resumed run has the same feature loss",
        RUN,
        '            de_parallel(self.trainer.distillloss).load_state_dict(state["distillloss"])\n',
        "",
        "resume::same_feature_loss and 8.2.50",
    ),
    Break(
        "a resumed run has the same online teacher",
        TEACHERS,
        "        self.model.load_state_dict(load_teacher(str(folder / self.file)).state_dict())\n",
        "        pass\n",
        "resume::same_teacher and 8.2.50",
    ),
    Break(
        "checkpoints know nothing of distillation",
        RUN,
        "        self._tell_of_limits()\n",
        "        self._tell_of_limits()\n        student.distiller = trainer.distill_items\n",
        "resume::knows_nothing and 8.2.50",
    ),
    Break(
        "a finished run leaves nothing that only a resumed one needs",
        RUN,
        "        state.unlink()\n",
        "        pass\n",
        "resume::leaves_nothing and 8.2.50",
    ),
    Break(
        "args.yaml names the teacher and stays small",
        SETUP,
        "    args.model_t = _path_of(model) or",
        "    _ = _path_of(model) or",
        "resume::stay_small and 8.2.50",
    ),
    Break(
        "a run in several processes is resumed",
        RUN,
        "        if trainer.resume:\n            self._resume()",
        "        if trainer.resume and RANK == -1:\n            self._resume()",
        "several_processes::resumed and 8.2.50",
    ),
    # Models, optimizers, display, bad input, interruptions.
    Break(
        "the second branch of an end-to-end head imitates",
        MODELS,
        ', "one2one": ("one2one_cv2", "one2one_cv3")}',
        "}",
        "models::8.4.190",
    ),
    Break(
        "a teacher's maps of another size are scaled",
        LOSSES,
        "if t.shape[2:] != s.shape[2:]:",
        "if False:",
        "models::8.0.136",
    ),
    Break(
        "biases of the feature loss are not decayed",
        OPTIMIZER,
        'elif "bias" in name:',
        "elif False:",
        "optimizers::8.4.30",
    ),
    Break(
        "the header has a heading for each figure",
        "patches/14-progress-header.patch",
        "+     *self.distill_items,\n",
        "",
        "display::stands_under and 8.2.50",
    ),
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
        "j if j < first else j + len(ours)",
        "j",
        "display::curves and 8.0.136",
    ),
    Break(
        "a missing teacher is one clear error",
        SETUP,
        '    raise FileNotFoundError(\n        f"model_t',
        '    return path\n    raise FileNotFoundError(\n        f"model_t',
        "bad_input::makes_no_sense and 8.2.50",
    ),
    Break(
        "misspelt arguments are refused with suggestions",
        "patches/13-train-arguments.patch",
        "+         base_keys = {*base_keys, *DISTILL_ARGS}",
        "+         custom_keys = base_keys",
        "bad_input::makes_no_sense and 8.2.50",
    ),
    Break(
        "NaN sends the feature loss back to the last good state",
        RUN,
        "if trainer.start_epoch < trainer.epoch == self.epoch:",
        "if False:",
        "interruptions::after_nan",
    ),
    # What users do that is not in the book.
    Break(
        "the feature loss is clipped",
        RUN,
        "        nn.utils.clip_grad_norm_(self.trainer.distillloss.parameters(), max_norm=10.0)\n",
        "        pass\n",
        "gradient::clipped and 8.4.190",
    ),
    Break(
        "the logit loss has its weight",
        RUN,
        "value * self.weights[name]",
        'value * (bool(self.weights[name]) if name == "logit" else self.weights[name])',
        "gradient::weight_that_is_set and 8.2.50",
    ),
    Break(
        "an online teacher's loss has its weight",
        RUN,
        "value * self.weights[name]",
        'value * (1 if name == "online" else self.weights[name])',
        "gradient::weight_that_is_set and 8.2.50",
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
        "a teacher that differs from its file is saved beside the run",
        SETUP,
        "if same else None",
        "",
        "tutorial_script::tutorials_script and 8.2.50",
    ),
    Break(
        "the losses are in float32 in a trainer with mixed precision",
        LOSSES,
        "torch.autocast(device.type, enabled=False)",
        "nullcontext()",
        "precision::8.4.190",
    ),
    Break(
        "the logit loss is in float32 in a trainer with mixed precision",
        LOSSES,
        "F.mse_loss(p.float(), t_p.detach().float())",
        "(p - t_p.detach()).square().mean()",
        "precision::8.4.190",
    ),
    Break(
        "a teacher may be in half precision",
        SETUP,
        "return deepcopy(teacher).float()",
        "return deepcopy(teacher)",
        "tutorial_script::tutorials_script and 8.2.50",
    ),
    Break(
        "a run without a teacher is built as ever",
        OPTIMIZER,
        "    if trainer.model_t is None:\n        return {}\n    arguments",
        "    arguments",
        "optimizers::of_its_own and 8.2.50",
    ),
    Break(
        "a build_optimizer that takes no teacher is named",
        OPTIMIZER,
        "    except TypeError as e:\n        raise TypeError(\n",
        "    except ZeroDivisionError as e:\n        raise TypeError(\n",
        "optimizers::of_its_own and 8.2.50",
    ),
    Break(
        "a bare boolean on the command line counts",
        "patches/13-train-arguments.patch",
        "+     a = complete_argument(a)\n",
        "+     complete_argument(a)\n",
        "tutorial_script::command_line_takes and 8.4.190",
    ),
    Break(
        "a bare argument that needs a value is refused",
        SETUP,
        "    if not isinstance(DISTILL_ARGS[argument], bool):\n",
        "    if False:\n",
        "tutorial_script::missing_on_the_command_line and 8.4.190",
    ),
    Break(
        "an official teacher is where every process finds it",
        SETUP,
        "return Path(downloads.attempt_download_asset(str(path))).resolve(strict=True)",
        "return path",
        "models::official and 8.4.190",
    ),
    Break(
        "an online teacher learns by the class weights of the data",
        TEACHERS,
        'getattr(student, "class_weights", None) if same_classes else None',
        "None",
        "models::class_weights",
    ),
    Break(
        "a caller's teacher stays as it was",
        SETUP,
        "return deepcopy(teacher).float()",
        "return teacher.float()",
        "tutorial_script::leaves_its_teacher_alone and 8.4.190",
    ),
    Break(
        "a run is resumed with a teacher that has moved",
        "patches/02-attributes.patch",
        "ckpt_args.update(given_teacher(self.args))",
        "given_teacher(self.args)",
        "resume::teacher_that_has_moved and 8.2.50",
    ),
    Break(
        "a run is resumed with what lies beside the checkpoint",
        RUN,
        "self._restore(checkpoint.parent)",
        "self._restore(self.trainer.wdir)",
        "resume::beside_the_checkpoint and 8.2.50",
    ),
    Break(
        "a state of another epoch is told",
        RUN,
        "        elif saved != wanted:\n",
        "        elif False:\n",
        "resume::earlier and 8.2.50",
    ),
    Break(
        "a state that is missing is told",
        RUN,
        "        if saved is None:\n            LOGGER.warning(",
        "        if saved is None:\n            LOGGER.debug(",
        "resume::checkpoint_alone and 8.2.50",
    ),
    Break(
        "an online teacher's schedule is resumed",
        TEACHERS,
        "self.model.criterion.updates = self.trainer.epoch - 1",
        "pass",
        "resume::branch_to_branch and 8.4.60",
    ),
    Break(
        "an online teacher's schedule goes on",
        TEACHERS,
        "            self.model.criterion.update()\n",
        "            pass\n",
        "resume::branch_to_branch and 8.4.60",
    ),
    Break(
        "branches that a head does not go through are left out",
        MODELS,
        "active = active_branches(teacher)",
        "active = list(branches(head(teacher)))",
        "models::does_not_go_through and 8.4.60",
    ),
    Break(
        "layers that count from the head are found",
        MODELS,
        "f % head(model).i for",
        "f for",
        "models::all_layers and 8.0.136",
    ),
    Break(
        "short models have layers by default",
        MODELS,
        " and max(YOLOV8_LAYERS) < head(model).i",
        "",
        "models::all_layers and 8.0.136",
    ),
    Break(
        "a teacher of other strides is refused",
        MODELS,
        '        "strides": lambda head: [int(stride) for stride in head.stride],\n',
        "",
        "bad_input::makes_no_sense and 8.2.50",
    ),
    Break(
        "AutoBatch's ignorance is told",
        RUN,
        "if trainer.batch_size < 1:",
        "if False:",
        "bad_input::auto_batch and 8.2.50",
    ),
    Break(
        "other names of classes are told",
        MODELS,
        "    if others:\n",
        "    if False:\n",
        "bad_input::other_names and 8.2.50",
    ),
    Break(
        "without results the curves are missed as ever",
        COLUMNS,
        'glob("results*.csv")), "")',
        'glob("results*.csv")))',
        "display::missed and 8.2.50",
    ),
    # What the tutorial promises.
    Break(
        "mimic is the tutorial's",
        LOSSES,
        "return sum(F.mse_loss(s, t) for s, t in _levels(y_s, y_t))",
        "return sum(F.l1_loss(s, t) for s, t in _levels(y_s, y_t))",
        "losses",
    ),
    Break(
        "the feature loss fades within each epoch",
        LOSSES,
        "return 1 - 0.9 * ",
        "return 1 - 0.8 * ",
        "losses",
    ),
    # The plan.
    Break(
        "one misfit refuses everything",
        "distillpatch/engine/plan.py",
        "refused = by_hand or any(",
        "refused = by_hand or all(",
        "plan",
    ),
    Break(
        "what was made by hand is not made again",
        "distillpatch/engine/plan.py",
        "    by_hand = tuple(_made_by_hand(patch_set, files, sources))\n",
        "    by_hand = ()\n",
        "by_hand",
    ),
    Break(
        "what was made by hand is told once",
        "distillpatch/engine/plan.py",
        "sorted({*added, *recognised})",
        "sorted([*added, *recognised])",
        "by_hand::told_once",
    ),
    Break(
        "the line shown is that of the added code",
        "distillpatch/engine/plan.py",
        "source.line_of(edit.start) + grown + edit.lines_before",
        "source.line_of(edit.start) + edit.lines_before",
        "plan::lines",
    ),
    Break(
        "a misfit shows the nearest code",
        "distillpatch/engine/plan.py",
        "attempt.nearest or",
        "",
        "plan::message_of_a_misfit",
    ),
    Break(
        "no file is left broken",
        "distillpatch/engine/plan.py",
        "            check_compiles(path, after)\n",
        "            pass\n",
        "edit or plan::would_not_parse or broken",
    ),
    # The workflow.
    Break(
        "a second apply changes nothing",
        "distillpatch/commands.py",
        "in_place.issuperset(self.conditions.values())",
        "not self.conditions",
        "cli::there_and_back and 8.2.50",
    ),
    Break(
        "an upgrade of the release is told",
        "distillpatch/commands.py",
        "Standing.RESTORED if same_release else Standing.OVERWRITTEN",
        "Standing.PATCHED",
        "cli::upgraded",
    ),
    Break(
        "edits after the apply are told",
        "distillpatch/commands.py",
        "            return Standing.EDITED\n",
        "            return Standing.PATCHED\n",
        "cli::edited",
    ),
    Break(
        "uncommitted changes are told",
        "distillpatch/commands.py",
        "    return unsaved\n",
        "    return []\n",
        "cli::uncommitted",
    ),
    Break(
        "diff after apply shows what was changed",
        "distillpatch/commands.py",
        "FileChange(file.path, file.original, file.patched)",
        "FileChange(file.path, file.patched, file.patched)",
        "cli::there_and_back and 8.2.50",
    ),
    # The command line.
    Break(
        "stdout holds nothing but the diff",
        "distillpatch/cli.py",
        '({checkout.found})", err=True)',
        '({checkout.found})")',
        "cli::all_that_stdout_holds",
    ),
    Break(
        "a dry run writes nothing",
        "distillpatch/cli.py",
        "        _show(unified_diff(situation.in_package(situation.application()[0])))\n        return\n",
        "        _show(unified_diff(situation.in_package(situation.application()[0])))\n",
        "cli::there_and_back and 8.2.50",
    ),
    Break(
        "what a user can cause is no traceback",
        "distillpatch/cli.py",
        "        except DistillpatchError as error:\n            raise click.ClickException(str(error)) from error\n",
        "        except ZeroDivisionError as error:\n            raise click.ClickException(str(error)) from error\n",
        "cli::not_a_checkout",
    ),
    Break(
        "--exit-code tells that there is a difference",
        "distillpatch/cli.py",
        "        sys.exit(1)\n",
        "        sys.exit(0)\n",
        "cli::exit_code",
    ),
    Break(
        "a reader that stops early is no error",
        "distillpatch/cli.py",
        "if error.errno == errno.EPIPE:",
        "if False:",
        "cli::stops_early",
    ),
    Break(
        "NO_COLOR is honoured",
        "distillpatch/cli.py",
        "ctx.color = False",
        "pass",
        "cli::colors",
    ),
    Break(
        "git takes the diff of a file without a final newline",
        "distillpatch/report/diff.py",
        '+ b"\\n\\\\ No newline at end of file\\n"',
        '+ b"\\n"',
        "render",
    ),
    # The writer and what it keeps.
    Break(
        "a file that was changed after planning is noticed",
        "distillpatch/ledger/transaction.py",
        "        _check_unchanged(package_dir, change)\n",
        "        pass\n",
        "transaction::happens or changed",
    ),
    Break(
        "a run that fails is undone",
        "distillpatch/ledger/transaction.py",
        "remarks = _undo(held)\n",
        'remarks = ""\n',
        "transaction",
    ),
    Break(
        "a run that was killed is undone by the next command",
        "distillpatch/ledger/transaction.py",
        "settled = _Settled(UNDONE, _roll_back(package_dir, release))",
        "settled = _Settled(UNDONE)",
        "transaction",
    ),
    Break(
        "the files are on the disk before the journal goes",
        "distillpatch/ledger/transaction.py",
        "    for folder in sorted({place.parent for place in places}):\n        _sync(folder)\n",
        "",
        "transaction",
    ),
    Break(
        "a folder that another process removes is made again",
        "distillpatch/ledger/transaction.py",
        "        if not package_dir.is_dir():\n            raise\n",
        "        raise\n",
        "transaction::goes_as_soon",
    ),
    Break(
        "a path in the journal leads nowhere",
        "distillpatch/ledger/state.py",
        '    parts = path.split("/")\n    plain',
        "    return\n    plain",
        "journal::leads_nowhere",
    ),
    Break(
        "a tampered path leads nowhere",
        "distillpatch/ledger/state.py",
        "def check_path(package: str, path: str) -> None:\n",
        "def check_path(package: str, path: str) -> None:\n    return\n",
        "state::leads_elsewhere",
    ),
    Break(
        "edits that users make survive the revert",
        "distillpatch/ledger/undo.py",
        "def merge(file: AppliedFile, now: bytes) -> bytes | Overlap:\n",
        "def merge(file: AppliedFile, now: bytes) -> bytes | Overlap:\n    return file.original or b''\n",
        "revert::survives",
    ),
    Break(
        "pip uninstalls what was added",
        "distillpatch/ledger/dist_info.py",
        "    rows |= {own: _row(own, None) for own in own_files(package, kept)}\n",
        "",
        "installed::uninstalls",
    ),
    # The package.
    Break(
        "the wheel holds the patch set",
        "pyproject.toml",
        '"patches" = "distillpatch/patches"',
        '"docs" = "distillpatch/docs"',
        "packaging",
    ),
    Break(
        "the command line starts without torch",
        "distillpatch/cli.py",
        "import json\n",
        "import json\nimport unittest.mock\nimport importlib\nimportlib.import_module('torch')\n",
        "cli::heavy",
    ),
)


def outcome(change: Break) -> str:
    """Make a change in a copy of the project and run the test; return what failed, or "" if nothing did.

    Raises:
        SystemExit: If the test is out of date.
    """
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "project"
        for name in COPIED:
            source = PROJECT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                copy.mkdir(exist_ok=True)
                shutil.copy(source, copy / name)
        broken = copy / change.file
        broken.write_text(broken.read_text(encoding="utf-8").replace(change.old, change.new), encoding="utf-8")
        module, _, chosen = change.test.partition("::")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--basetemp={temporary}/tests",
        ]
        command += [f"tests/test_{module}.py", *(["-k", chosen] if chosen else [])]
        environment = {**os.environ, "PYTHONPATH": str(copy)}
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, SOME_FAILED):
        raise SystemExit(f"{change.promise}: pytest {change.test} exits with {done.returncode}\n{done.stdout}")
    return ", ".join(re.findall(r"^(?:FAILED|ERROR) tests/test_(\S+)", done.stdout, re.MULTILINE))


def main(parts: list[str]) -> None:
    """Make each break, or those whose promise has one of some texts in it, and fail if a test does not notice."""
    chosen = [change for change in BREAKS if not parts or any(part in change.promise for part in parts)]
    stale = [change for change in chosen if change.old not in (PROJECT / change.file).read_text(encoding="utf-8")]
    if stale:
        raise SystemExit("\n".join(f"{each.promise}: {each.file} has no {each.old!r} any more" for each in stale))
    console, unnoticed = Console(), 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for change, failed in zip(chosen, track(pool.map(outcome, chosen), total=len(chosen)), strict=True):
            unnoticed += not failed
            verdict = "noticed" if failed else "[red]NOT NOTICED[/]"
            console.print(f"{verdict}  {change.promise}  [dim]{escape(failed)}[/]")
    console.print(f"{len(chosen) - unnoticed} of {len(chosen)} broken promises were noticed")
    sys.exit(unnoticed > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
