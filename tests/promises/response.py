"""The response losses, and which classes they compare: distill_response.py, distill_pairs.py."""

from __future__ import annotations

from promises import Break

RESPONSE = "patches/distill_response.py"
PAIRS = "patches/distill_pairs.py"

BREAKS = (
    Break(
        "classes are compared by number only where they have to be, and other names are told",
        PAIRS,
        "    if others:\n",
        "    if False:\n",
        "bad_input::other_names and 8.2.50",
    ),
    Break(
        "classes are paired by name, whatever their numbers",
        PAIRS,
        "    student, teacher = [i for i, _ in pairs], [j for _, j in pairs]\n",
        "    student, teacher = [i for i, _ in pairs], [i for i, _ in pairs]\n",
        "response::another_order",
    ),
    Break(
        "names are compared without case and spaces",
        PAIRS,
        "str(name).strip().casefold()",
        "str(name)",
        "response::paired_by_name",
    ),
    Break(
        "classes that the teacher has alone do not count",
        RESPONSE,
        "w = (p_t if p_t.shape[2] else classes_t.sigmoid()).amax(2)",
        "w = classes_t.sigmoid().amax(2)",
        "response::has_alone",
    ),
    Break(
        "a run pairs classes by the names of its data",
        "patches/distiller.py",
        'pair_classes(trainer.data["names"], teacher.names)',
        "pair_classes(teacher.names, teacher.names)",
        "classes::8.4.190",
    ),
)
