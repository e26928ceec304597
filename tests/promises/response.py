"""The response losses, and which classes they compare: distill_response.py, distill_pairs.py."""

from __future__ import annotations

from promises import Break

RESPONSE = "patches/distill_response.py"
CLASSES = "patches/distill_classes.py"

BREAKS = (
    Break(
        "classes are compared by number only where they have to be, and other names are told",
        CLASSES,
        "    if others:\n",
        "    if False:\n",
        "classes::other_names and 8.4.190",
    ),
    Break(
        "classes are paired by name, whatever their numbers",
        CLASSES,
        "    student, teacher = [i for i, _ in pairs], [j for _, j in pairs]\n",
        "    student, teacher = [i for i, _ in pairs], [i for i, _ in pairs]\n",
        "response::another_order",
    ),
    Break(
        "names are compared without case and spaces",
        CLASSES,
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
        CLASSES,
        'trained_names(trainer.data["names"], args), teacher.names',
        "teacher.names, teacher.names",
        "classes::8.4.190",
    ),
    Break(
        "classes that a run leaves out are not taught",
        CLASSES,
        "if wanted is None or i in wanted",
        "",
        "response::leaves_out",
    ),
    Break(
        "a run with one class is not taught the several of the data",
        CLASSES,
        "    if args.single_cls:\n",
        "    if False:\n",
        "response::one_class",
    ),
    Break(
        "a teacher that was trained with one class teaches it",
        CLASSES,
        'if arguments_of(model).get("single_cls") else',
        "if False else",
        "response::one_class",
    ),
    Break(
        "one class is paired with one of which the name is lost",
        CLASSES,
        " and ONE_CLASS in (ours, theirs):\n",
        " and False:\n",
        "response::name_is_lost",
    ),
    Break(
        "a loss that compares all classes says so",
        CLASSES,
        "    if left_out and loss.by_number:\n",
        "    if False:\n",
        "response::says_so",
    ),
    Break(
        "a teacher of several classes is told what single_cls leaves of it",
        CLASSES,
        "    if args.single_cls:\n        LOGGER",
        "    if False:\n        LOGGER",
        "response::not_taught_several",
    ),
    Break(
        "none on the command line is no value of an argument that has none",
        "patches/distill_arguments.py",
        '    if key in CHOICES and value.lower() == "none" and "none" not in CHOICES[key]:\n',
        "    if False:\n",
        "tutorial_script::missing_on_the_command_line and 8.4.190",
    ),
)
