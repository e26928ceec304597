"""Offline and online teachers: distill_teachers.py."""

from __future__ import annotations

from promises import Break

TEACHERS = "patches/distill_teachers.py"

BREAKS = (
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
        "an online teacher learns its task",
        TEACHERS,
        "self.trainer.model_t(batch, **self._tell_epoch())[0].sum()",
        "self.trainer.model_t(batch, **self._tell_epoch())[0].sum().detach()",
        "gradient::learns_its_task and 8.2.50",
    ),
    Break(
        "an online teacher is clipped",
        TEACHERS,
        "        nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=10.0)\n",
        "        pass\n",
        "gradient::clipped and 8.0.150",
    ),
    Break(
        "a step makes one pass of the teacher",
        TEACHERS,
        "            self.model(images)\n",
        "            self.model(images)\n            self.model(images)\n",
        "cost::one_forward_pass and 8.4.190",
    ),
    Break(
        "a step is hardly more work than the floor",
        TEACHERS,
        "            self.model(images)\n",
        "            self.model(images)\n            self.model.model[:9](images)\n",
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
        "several ranks make the gradient of one process",
        TEACHERS,
        "loss = loss * torch.distributed.get_world_size()",
        "pass",
        "several_processes::gradient_of_one and copies and 8.3.200",
    ),
    Break(
        "a resumed run has the same online teacher",
        TEACHERS,
        "        self.model.load_state_dict(read_model(str(folder / self.file)).state_dict())\n",
        "        pass\n",
        "resume::same_teacher and 8.2.50",
    ),
    Break(
        "an online teacher learns by the class weights of the data",
        TEACHERS,
        'getattr(student, "class_weights", None) if same_classes else None',
        "None",
        "models::class_weights",
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
        "an online teacher of a later release knows its branches",
        TEACHERS,
        'getattr(head(teacher), "end2end", False)',
        "False",
        "arguments::yolov10_teacher and 8.2.50",
    ),
)
