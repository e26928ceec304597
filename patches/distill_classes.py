# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""Which classes are taught: those that a run trains, paired with the teacher's."""

from __future__ import annotations

import logging
from typing import NamedTuple

from .distill_models import arguments_of

LOGGER = logging.getLogger("ultralytics")

# What a run with single_cls trains, by upstream's name.
ONE_CLASS = {0: "item"}


class Classes(NamedTuple):
    """The classes that both the data and the teacher have.

    Attributes:
        student (list[int]): Their numbers in the data.
        teacher (list[int]): Their numbers to the teacher, in the same order.
        note (str): What the user should know of them; empty if these are all classes of both, in the same order.
    """

    student: list
    teacher: list
    note: str


def pair_classes(trainer, teacher, loss):
    """Pair the classes that a run trains with those of its teacher, and warn of what is not as it seems.

    Args:
        trainer (BaseTrainer): Its data and its arguments are known.
        teacher (OfflineTeacher): The teacher.
        loss (type): The response loss, out of RESPONSE_LOSSES.

    Returns:
        (Classes): The pairs.
    """
    args = trainer.args
    given = {"classes": args.classes is not None, "single_cls": bool(args.single_cls)}
    left_out = [name for name in given if given[name]]
    if left_out and loss.by_number:
        LOGGER.warning(
            f"{left_out[0]}: distill_logit_type={args.distill_logit_type} compares all classes of the heads all the "
            "same; 'soft' compares those that are trained"
        )
    ours, theirs = trained_names(trainer.data["names"], args), teacher.names
    if len(ours) == len(theirs) == 1 and args.classes is None and ONE_CLASS in (ours, theirs):
        return _one_class(ours, theirs)
    if teacher.numbered or loss.by_number:
        return classes_by_number(ours, theirs)
    if args.single_cls:
        LOGGER.warning(
            f"single_cls: the teacher has {len(theirs)} classes, so it teaches boxes alone; expected one that was "
            "trained with single_cls as well"
        )
        return Classes([], [], f"none of the {len(theirs)} classes of the teacher is the one that is trained")
    return classes_by_name(ours, theirs)


def _one_class(ours, theirs):
    """Pair one class with one, of which a run with single_cls has forgotten the name."""
    ((i, our), (j, their)) = (*ours.items(), *theirs.items())
    note = "" if our == their else f"the teacher's one class, {their}, is taken for the one that is trained, {our}"
    return Classes([i], [j], note)


def trained_names(names, args):
    """Return the names of the classes that a run trains, by number.

    Args:
        names (dict[int, str] | list[str]): The names of the data's classes. Only newer releases name the one that is
            left with single_cls.
        args (SimpleNamespace): The arguments of the run. Its `classes` are those whose labels are used.

    Returns:
        (dict[int, str]): The names.
    """
    if args.single_cls:
        return dict(ONE_CLASS)
    wanted = [args.classes] if isinstance(args.classes, int) else args.classes
    return {i: name for i, name in _numbered(names).items() if wanted is None or i in wanted}


def teacher_names(model):
    """Return the names of the classes that a teacher was trained with, by number."""
    return dict(ONE_CLASS) if arguments_of(model).get("single_cls") else _numbered(model.names)


def classes_by_name(ours, theirs):
    """Pair the classes that a run trains with those of the teacher that have the same name, whatever their numbers.

    Names are compared without regard to case and to spaces around them. Where several classes have one name, the first
    of the data is paired with the first of the teacher, and so on.

    Args:
        ours (dict[int, str]): The names of the classes that are trained.
        theirs (dict[int, str]): The names of the teacher's.

    Returns:
        (Classes): The pairs, in the order of the data. There may be none; the user is warned of that.
    """
    unpaired = {}
    for number, name in theirs.items():
        unpaired.setdefault(_plain(name), []).append(number)
    pairs = [(i, unpaired[_plain(name)].pop(0)) for i, name in ours.items() if unpaired.get(_plain(name))]
    student, teacher = [i for i, _ in pairs], [j for _, j in pairs]
    if student == teacher == list(ours) == list(theirs):
        return Classes(student, teacher, "")
    if not pairs:
        LOGGER.warning(
            f"logit_loss: no class of the data ({_some(ours.values())}) has the name of one of the teacher "
            f"({_some(theirs.values())}), so it teaches boxes alone. If they are the same classes, give the "
            "teacher the names of the data."
        )
        return Classes([], [], f"none of the {len(theirs)} classes of the teacher shares a name with the data")
    note = f"{len(pairs)} of {len(theirs)} classes of the teacher share a name with the {len(ours)} that are trained: "
    return Classes(student, teacher, note + _some(ours[i] for i in student))


def classes_by_number(ours, theirs):
    """Pair the classes of the data with those of the teacher that have the same number, and warn of other names.

    Args:
        ours (dict[int, str]): The names of the classes that are trained.
        theirs (dict[int, str]): The names of the teacher's, of which there may be more.

    Returns:
        (Classes): The pairs.
    """
    others = [i for i, name in ours.items() if theirs.get(i) != name]
    if others:
        LOGGER.warning(
            f"logit_loss: class {others[0]} is {ours[others[0]]!r} in the data and {theirs.get(others[0])!r} to the "
            "teacher. Here classes are compared by number: the two should have the same, in the same order."
        )
    return Classes(list(ours), list(ours), "")


def _numbered(names):
    return dict(enumerate(names)) if isinstance(names, (list, tuple)) else names


def _plain(name):
    return str(name).strip().casefold()


def _some(names, most=5):
    """Return names to show, not too many."""
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
