"""The arguments, and how the teacher is found: distill_arguments.py and distill_setup.py."""

from __future__ import annotations

from promises import Break

SETUP = "patches/distill_setup.py"
ARGUMENTS = "patches/distill_arguments.py"

BREAKS = (
    Break(
        "the arguments of a run without a teacher are those of the pristine release",
        SETUP,
        "        return None\n    complete_arguments(args)\n",
        "        complete_arguments(args)\n        return None\n    complete_arguments(args)\n",
        "to_and_fro::patched_release_leaves and 8.4.190",
    ),
    Break(
        "without a teacher the numbers are the pristine release's",
        SETUP,
        "    args = trainer.args\n    if trainer.resume:",
        "    args = trainer.args\n    torch.rand(1)\n    if trainer.resume:",
        "no_teacher::8.2.50",
    ),
    Break(
        "a teacher that no file holds reaches the workers",
        SETUP,
        "_path_of(model, trainer) or _save_beside(model, trainer.save_dir)",
        "_path_of(model, trainer) or 'teacher.pt'",
        "several_processes::launcher and 8.3.200",
    ),
    Break(
        "args.yaml names the teacher and stays small",
        SETUP,
        "    args.model_t = _path_of(model, trainer) or",
        "    _ = _path_of(model, trainer) or",
        "resume::stay_small and 8.2.50",
    ),
    Break(
        "a missing teacher is one clear error",
        SETUP,
        '    raise FileNotFoundError(\n        f"model_t',
        '    return path\n    raise FileNotFoundError(\n        f"model_t',
        "bad_input::makes_no_sense and 8.2.50",
    ),
    Break(
        "a teacher that differs from its file is saved beside the run",
        SETUP,
        "if same else None",
        "",
        "tutorial_script::tutorials_script and 8.2.50",
    ),
    Break(
        "a teacher may be in half precision",
        SETUP,
        "return deepcopy(teacher).float()",
        "return deepcopy(teacher)",
        "tutorial_script::tutorials_script and 8.2.50",
    ),
    Break(
        "a bare argument that needs a value is refused",
        ARGUMENTS,
        "    if argument not in SWITCHES:\n",
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
        "a caller's teacher stays as it was",
        SETUP,
        "return deepcopy(teacher).float()",
        "return teacher.float()",
        "tutorial_script::leaves_its_teacher_alone and 8.4.190",
    ),
    Break(
        "a teacher may be a model that was saved by itself",
        SETUP,
        "        if not isinstance(model, BaseModel):",
        "        if False:",
        "arguments::saved_in_another_way and 8.2.50",
    ),
    Break(
        "a teacher may be named without a suffix",
        SETUP,
        '    if not Path(path).is_file() and f"{path}.pt" in official:',
        "    if False:",
        "arguments::saved_in_another_way and 8.2.50",
    ),
    Break(
        "a teacher whose file has other names is saved with its own",
        SETUP,
        'for name in ("names", "end2end")',
        'for name in ("end2end",)',
        "teacher_files::other_names and 8.4.190",
    ),
    Break(
        "a teacher that its student would replace is copied",
        SETUP,
        "    return Path(trainer.save_dir).resolve() in path.parents\n",
        "    return False\n",
        "teacher_files::would_replace and 8.4.190",
    ),
    Break(
        "a student that is resumed is not its own teacher",
        SETUP,
        'for name in ("last.pt", "best.pt")]:',
        "for name in ()]:",
        "teacher_files::resumed and 8.4.190",
    ),
    Break(
        "a teacher whose file was replaced is saved",
        SETUP,
        "    except ValueError:  # whatever has become",
        "    except MemoryError:  # whatever has become",
        "teacher_files::was_replaced and 8.4.190",
    ),
    Break(
        "an end that nobody knows is refused",
        "patches/distill_arguments.py",
        '    if value["distill_close"] and getattr(args, "time", None):\n',
        "    if False:\n",
        "bad_input::what_makes_no_sense and 8.2.50",
    ),
)
