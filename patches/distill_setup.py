# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""How a run finds its teacher."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime
from pathlib import Path

import torch
import torch.nn as nn

from .distill_arguments import AVERAGE, DISTILL_ARGS, complete_arguments, given_arguments
from .distill_images import absolute, find_images
from .distill_models import arguments_of

LOGGER = logging.getLogger("ultralytics")
RANK = int(os.getenv("RANK", "-1"))


def given_teacher(args):
    """Return the teacher that a run is given, as an argument to be taken over; none if it is given none.

    A run that is resumed takes its arguments from the checkpoint. Its teacher may have moved since then.

    Args:
        args (SimpleNamespace): The arguments of the run, before those of the checkpoint are read.

    Returns:
        (dict): The argument by name.
    """
    teacher = getattr(args, "model_t", None)
    return {} if teacher is None else {"model_t": teacher}


def claim_teacher(trainer):
    """Return the teacher of a run, checked as far as it can be, and leave only its path among the run's arguments.

    Called before the arguments are written down: what is written is a path that another process can load (a worker, or
    a later run that resumes this one), never the text of a model. A teacher that no file holds is saved beside the run.

    Args:
        trainer (BaseTrainer): Its args and its save_dir are known.

    Returns:
        (nn.Module | str | None): The teacher or its path; None for a run without distillation.

    Raises:
        ValueError: If an argument is invalid.
        TypeError: If the teacher is no YOLO model.
        FileNotFoundError: If there is no such file.
    """
    args = trainer.args
    if trainer.resume:
        vars(args).update(_resumed_args(trainer))
    given = given_arguments(args)
    source = given.get("model_t")
    if source is None:
        idle = sorted(key for key, value in given.items() if value not in (False, "none"))
        if idle:
            LOGGER.warning(f"{', '.join(idle)}: without effect, no teacher is given (model_t=...)")
        return None
    complete_arguments(args)
    if trainer.resume:
        args.resume = args.model  # releases up to 8.1 do not tell their workers that the run is resumed
    if args.distill_images is not None:
        find_images(args.distill_images)  # so that a mistake is told at once
        args.distill_images = absolute(args.distill_images)
    if source == AVERAGE:
        return source
    model = _as_model(source)
    if model is None:
        path = _find_weights(source, trainer.resume)
        if not _is_replaced(path, trainer):
            args.model_t = str(path)
            return args.model_t
        model = read_model(str(path))
    args.model_t = _path_of(model, trainer) or _save_beside(model, trainer.save_dir)
    return model


def load_teacher(trainer):
    """Return the teacher as a model of the run's own, in float32, on the device of the training.

    Args:
        trainer (BaseTrainer): Its model_t is what claim_teacher has returned, and its model is a module.

    Returns:
        (nn.Module): A copy of a model, since training must not change the caller's.
    """
    source = trainer.model if trainer.model_t == AVERAGE else trainer.model_t
    return read_model(source).to(trainer.device)


def read_model(teacher):
    """Return a copy of a model in float32, or the model in a file.

    Args:
        teacher (nn.Module | str): The model, or the path of its weights.

    Raises:
        ValueError: If the file holds no YOLO model.
    """
    if isinstance(teacher, nn.Module):
        return deepcopy(teacher).float()
    from ultralytics import YOLO
    from ultralytics.nn.tasks import BaseModel

    try:
        model = YOLO(teacher).model
        if not isinstance(model, BaseModel):  # of torch.save(model), upstream takes what is called "model" in it
            model = torch.load(teacher, map_location="cpu", weights_only=False)
        if isinstance(model, dict):  # a checkpoint whose name does not end in .pt
            model = model.get("ema") or model.get("model")
        return _as_model(model).float()
    except Exception as e:
        raise ValueError(f"model_t={teacher} does not hold a YOLO model: {e}") from e


def _resumed_args(trainer):
    """Return the arguments of distillation of the run that is resumed, with the teacher that is given now, if one is.

    Releases drop from a checkpoint's arguments what they do not know.
    """
    saved = {k: v for k, v in read_checkpoint(trainer).get("train_args", {}).items() if k in DISTILL_ARGS}
    given = given_teacher(trainer.args)
    if given and saved.get("model_t") is None:
        raise ValueError(f"model_t: {trainer.args.model} was trained without a teacher and cannot be resumed with one")
    if saved and "distill_recipe" not in saved:  # a run of distillpatch 0.1, which had no other
        saved["distill_recipe"] = "tutorial"
    return {**saved, **given}


def read_checkpoint(trainer):
    """Return the checkpoint that a run resumes, as upstream has saved it."""
    from ultralytics.nn.tasks import torch_safe_load

    return torch_safe_load(trainer.args.model)[0]


def _as_model(source):
    """Return the model in a YOLO object, or a model itself; None for a path.

    Raises:
        TypeError: If it is none of these.
    """
    if isinstance(source, (str, Path)):
        return None
    from ultralytics.nn.tasks import BaseModel

    model = source if isinstance(source, BaseModel) else getattr(source, "model", None)
    if not isinstance(model, BaseModel):
        raise TypeError(f"model_t: expected a YOLO object, its .model, or a path, not {type(source).__name__}")
    return model


def _is_replaced(path, trainer):
    """Return whether a run replaces a file in its own folder, of a run before it: upstream may empty it.

    Raises:
        ValueError: If the run is resumed, and has replaced it: by its student.
    """
    if trainer.resume:
        if path in [(Path(trainer.wdir) / name).resolve() for name in ("last.pt", "best.pt")]:
            raise ValueError(f"model_t={path}: expected the teacher, this is the student that is resumed")
        return False
    return Path(trainer.save_dir).resolve() in path.parents


def _path_of(model, trainer):
    """Return the path that a model was loaded from, if that file still holds this very model, and will."""
    path = getattr(model, "pt_path", None)
    if path is None or not Path(path).is_file() or _is_replaced(Path(path).resolve(), trainer):
        return None
    try:
        saved = read_model(str(path))
    except ValueError:  # whatever has become of the file, the model is here
        return None
    if any(getattr(saved, name, None) != getattr(model, name, None) for name in ("names", "end2end")):
        return None
    saved, mine = saved.state_dict(), model.state_dict()
    same = saved.keys() == mine.keys() and all(torch.equal(saved[k], mine[k].cpu().to(saved[k].dtype)) for k in saved)
    return str(Path(path).resolve()) if same else None


def _save_beside(model, save_dir):
    """Save a teacher that no file holds next to the run's folder, which upstream may remove for its workers."""
    path = Path(save_dir).with_name(f"{Path(save_dir).name}_teacher.pt").resolve()
    if RANK in (-1, 0):  # old releases run the user's script in every worker
        save_model(model, path)
    return str(path)


def _find_weights(path, resume):
    """Return the path of a teacher's weights; those of an official model are downloaded.

    Here, because several processes that each load the teacher would all download it into the same file.
    """
    from ultralytics.utils import downloads

    if "\n" in str(path):
        raise ValueError(
            "model_t: expected a path, not the text of a model; give the path where other processes train, as with "
            "several data sets or when tuning"
        )
    if str(path).endswith((".yaml", ".yml")):
        raise ValueError(f"model_t={path}: expected trained weights, not a model definition")
    official = getattr(downloads, "GITHUB_ASSETS_NAMES", ()) or downloads.GITHUB_ASSET_NAMES  # new name, old name
    if not Path(path).is_file() and f"{path}.pt" in official:  # as the student may be named
        path = f"{path}.pt"
    if Path(path).is_file():
        return Path(path).resolve()
    if str(path) in official:
        try:
            return Path(downloads.attempt_download_asset(str(path))).resolve(strict=True)
        except Exception as e:  # of many kinds, by release
            raise FileNotFoundError(f"model_t={path}: there is no such file, nor could it be downloaded: {e}") from e
    raise FileNotFoundError(
        f"model_t={path}: there is no such file; give the place where it is now"
        f"{'' if resume else ', or model_t=None to train without a teacher'}"
    )


def save_model(model, path):
    """Save a model as a checkpoint that YOLO() opens, in full precision."""
    from ultralytics import __version__

    model = deepcopy(model).eval()
    forget_criterion(model)
    model.args = args = {key: value for key, value in arguments_of(model).items() if key not in DISTILL_ARGS}
    checkpoint = {"epoch": -1, "best_fitness": None, "model": model, "ema": None, "updates": None, "optimizer": None}
    checkpoint.update(train_args=args, date=datetime.now().isoformat(), version=__version__)
    with replacing(path) as temporary:
        torch.save(checkpoint, temporary)


@contextmanager
def replacing(path):
    """Give a temporary path to write to, and put it in the place of ``path`` when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.exists():
            temporary.unlink()


def forget_criterion(model):
    """Have a model make its task loss again when it needs one: old releases look whether there is the attribute."""
    if hasattr(model, "criterion"):
        del model.criterion
