"""What is watched in a model, and which pairs fit: distill_models.py, distill_features.py, distill_pairs.py."""

from __future__ import annotations

from promises import Break

MODELS = "patches/distill_models.py"
FEATURES = "patches/distill_features.py"
PAIRS = "patches/distill_pairs.py"

BREAKS = (
    Break(
        "the pass that ends before the head is upstream's up to there",
        FEATURES,
        "else outputs[j] for j in m.f]",
        "else outputs[j] for j in m.f[::-1]]",
        "models::all_layers and 8.0.136",
    ),
    Break(
        "hooks do not survive the step",
        FEATURES,
        "        for handle in self._handles:\n            handle.remove()\n",
        "",
        "cost::no_hook_survives and 8.2.50",
    ),
    Break(
        "a rank without objects does not stop the others",
        FEATURES,
        "if self._logits and wrapped is not model:",
        "if False:",
        "several_processes::reaches_boxes and 8.4.130",
    ),
    Break(
        "the second branch of an end-to-end head imitates",
        MODELS,
        ', "one2one": ("one2one_cv2", "one2one_cv3")}',
        "}",
        "models::8.4.190",
    ),
    Break(
        "branches that a head does not go through are left out",
        PAIRS,
        "theirs, ours = active_branches(teacher),",
        "theirs, ours = list(branches(head(teacher))),",
        "models::does_not_go_through and 8.4.60",
    ),
    Break(
        "layers that count from the head are found",
        PAIRS,
        "f % head(model).i for",
        "f for",
        "models::all_layers and 8.0.136",
    ),
    Break(
        "short models have layers by default",
        PAIRS,
        " <= before_head\n",
        "\n",
        "models::all_layers and 8.0.136",
    ),
    Break(
        "a teacher of other strides is refused",
        PAIRS,
        "(lambda head: [int(stride) for stride in head.stride], features)",
        "(lambda head: 0, features)",
        "bad_input::makes_no_sense and 8.2.50",
    ),
    Break(
        "a look at a model that fails leaves it in its modes",
        MODELS,
        "    finally:\n        for m, training in modes.items():\n            m.training = training\n",
        "    finally:\n        pass\n",
        "interrupted::leaves_it_in_its_modes and 8.2.50",
    ),
    Break(
        "a look at a model that fails leaves no hooks",
        FEATURES,
        "        outputs = watch.outputs()\n        watch.stop()\n",
        "        outputs = watch.outputs()\n",
        "interrupted::leaves_it_in_its_modes and 8.2.50",
    ),
    Break(
        "features are those of a model's own forward pass",
        "patches/distill_features.py",
        "        model(x)\n",
        "        model._predict_once(x)\n",
        "architectures::own_forward and 8.4.190",
    ),
    Break(
        "a branch that the teacher has not is told",
        PAIRS,
        "    if len(common) < len(ours) and common:\n",
        "    if False:\n",
        "teacher_files::fused and 8.4.190",
    ),
    Break(
        "a teacher that was fused is told as the cause",
        PAIRS,
        "if is_fused(teacher) else",
        "if False else",
        "teacher_files::fused and 8.4.190",
    ),
)
