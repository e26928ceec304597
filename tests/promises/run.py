"""One run with a teacher: distiller.py."""

from __future__ import annotations

from promises import Break

RUN = "patches/distiller.py"

BREAKS = (
    Break(
        "the feature loss teaches the student",
        RUN,
        "trainer.distillloss(features_s,",
        "trainer.distillloss([s.detach() for s in features_s],",
        "gradient::feature_loss_alone and 8.4.190",
    ),
    Break(
        "the logit loss teaches the student",
        RUN,
        "self.response(logits_s, logits_t,",
        "self.response({name: [s.detach() for s in levels] for name, levels in logits_s.items()}, logits_t,",
        "gradient::logit_loss_alone and 8.4.190",
    ),
    Break(
        "feature maps are free at the next step",
        RUN,
        "        if logits_s:\n",
        "        self.trainer.kept = features_s\n        if logits_s:\n",
        "cost::free_at_the_next and 8.2.50",
    ),
    Break(
        "the model holds nothing of ours when it is pickled",
        RUN,
        "        self._tell_of_limits()\n",
        "        self._tell_of_limits()\n        student.watch = self.watch_student\n",
        "cost::is_pickled and 8.2.50",
    ),
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
        "several ranks make the gradient of the feature loss of one process",
        RUN,
        "size *= torch.distributed.get_world_size()",
        "size *= 2 * torch.distributed.get_world_size()",
        "several_processes::gradient_of_one and parts and 8.3.200",
    ),
    Break(
        "distillation counts as much in a batch of any size",
        RUN,
        "size, terms = self._terms(batch)",
        "size, terms = 16, self._terms(batch)[1]",
        "gradient::same_at_any_batch_size and 8.4.190",
    ),
    Break(
        "a resumed run has the same feature loss",
        RUN,
        '            de_parallel(self.trainer.distillloss).load_state_dict(state["distillloss"])\n',
        "",
        "resume::same_feature_loss and 8.2.50",
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
        "a run in several processes is resumed",
        RUN,
        "        if trainer.resume:\n            self._resume()",
        "        if trainer.resume and RANK == -1:\n            self._resume()",
        "several_processes::resumed and 8.2.50",
    ),
    Break(
        "NaN sends the feature loss back to the last good state",
        RUN,
        "if trainer.start_epoch < trainer.epoch == self.epoch:",
        "if False:",
        "interruptions::after_nan",
    ),
    Break(
        "the feature loss is clipped",
        RUN,
        "            nn.utils.clip_grad_norm_(self.trained, max_norm=10.0)\n",
        "            pass\n",
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
        "AutoBatch's ignorance is told",
        RUN,
        "if trainer.batch_size < 1:",
        "if False:",
        "bad_input::auto_batch and 8.2.50",
    ),
)
