"""What was tried beside what the patches offer, as code that changes them in the process of one run."""

# The class term of Bridging Cross-task Protocol Inconsistency (arXiv 2308.14286): each place and class counts by how
# far the student is from the teacher there.
DIFFERENCE = """
from ultralytics.utils import distill_response as response
from ultralytics.utils.distill_response import F, SoftTargets

class Differing(SoftTargets):
    def _branch(self, levels_s, levels_t):
        loss = super()._branch(levels_s, levels_t)
        s, t = (response._split(levels, bins)[1] for levels, bins in ((levels_s, self.bins_s), (levels_t, self.bins_t)))
        p_t = t.detach().sigmoid()
        total = p_t.amax(2).sum().clamp(min=len(p_t))
        bce = F.binary_cross_entropy_with_logits(s, p_t, reduction="none")
        entropy = F.binary_cross_entropy_with_logits(t.detach(), p_t, reduction="sum")
        far = (s.detach().sigmoid() - p_t).abs()
        return loss + self.cls * ({factor} * (far * bce).sum() - bce.sum() + entropy) / total

response.RESPONSE_LOSSES["soft"] = Differing
"""

# PP-YOLOE's distillation (PaddleDetection): the places that answer for an object are those that suit the teacher.
ASSIGNMENT = """
from ultralytics.utils.distiller import Distiller
from ultralytics.utils.loss import v8DetectionLoss
from ultralytics.utils.ops import xywh2xyxy
from ultralytics.models.yolo.detect import DetectionTrainer

seen = {}
watch, prepare, loss = Distiller.watch, DetectionTrainer.preprocess_batch, v8DetectionLoss.__call__

def look(self):
    with torch.no_grad():
        boxes, scores = self.trainer.model_t(seen["images"])[0].transpose(1, 2).split((4, 10), 2)
    seen.update(boxes=xywh2xyxy(boxes), scores=scores)
    watch(self)

def prepared(self, batch):
    batch = prepare(self, batch)
    seen["images"] = batch["img"]
    return batch

def lost(self, *args, **kwargs):
    if "forward" not in vars(self.assigner):
        assign = self.assigner.forward
        self.assigner.forward = lambda scores, boxes, *rest: (
            assign(seen["scores"], seen["boxes"], *rest) if torch.is_grad_enabled() else assign(scores, boxes, *rest)
        )
    return loss(self, *args, **kwargs)

Distiller.watch, DetectionTrainer.preprocess_batch, v8DetectionLoss.__call__ = look, prepared, lost
"""

# The feature loss counts from nothing to its whole over the warm-up of upstream: its convolutions begin at random.
RAMP = """
from ultralytics.utils.distill_schedule import Schedule, warmup_steps

counts_before = Schedule.counts

def ramped(self):
    counts, (step, steps) = counts_before(self), self.step()
    counts["feature"] *= min(1, step / warmup_steps(self.trainer.args, steps // self.trainer.epochs))
    return counts

Schedule.counts = ramped
"""

# From a share of the run on, the losses fall as a cosine to a share of themselves.
FALL = """
import math
from ultralytics.utils.distill_schedule import Schedule

counts_before = Schedule.counts

def fallen(self):
    counts, (step, steps) = counts_before(self), self.step()
    way = max(0, step / steps - {begin}) / (1 - {begin})
    factor = {floor} + (1 - {floor}) * (1 + math.cos(math.pi * way)) / 2
    return {{name: count * (factor if name != "online" else 1) for name, count in counts.items()}}

Schedule.counts = fallen
"""
TO_THIRD = FALL.format(begin=0.0, floor=0.3)
LATE = FALL.format(begin=0.5, floor=0.1)

# CrossKD (arXiv 2306.11369): the student's features, with the teacher's channels, go through the teacher's head, and
# what comes out is compared with what the teacher puts out.
CROSS = """
from ultralytics.utils.distill_classes import classes_by_name
from ultralytics.utils.distill_pairs import choose_layers, channels
from ultralytics.utils.distill_response import SoftTargets
from ultralytics.utils.distiller import Distiller
from torch import nn

make, compare = Distiller.__init__, Distiller._compare

def made(self, trainer):
    make(self, trainer)
    student, teacher = trainer.model, trainer.model_t
    layers = zip((student, teacher), choose_layers(student, teacher, None, eight=False))
    widths = [channels("model", model, chosen) for model, chosen in layers]
    trainer.distillloss.cross = nn.ModuleList(nn.Conv2d(*pair, 1) for pair in zip(*widths))
    self.trained = list(trainer.distillloss.parameters())
    self.cross = SoftTargets(teacher, teacher, self.args, classes_by_name(teacher.names, teacher.names))

def compared(self, features_s, logits_s, features_t, logits_t):
    terms = compare(self, features_s, logits_s, features_t, logits_t)
    head = self.trainer.model_t.model[-1]
    maps = [align(s) for align, s in zip(self.trainer.distillloss.cross, features_s)]
    crossed = [torch.cat([box(x), cls(x)], 1) for box, cls, x in zip(head.cv2, head.cv3, maps)]
    name, outputs = next(iter(logits_t.items()))
    terms["logit"] = terms["logit"] + self.cross({name: crossed}, {name: outputs}, {name: 1.0})
    return terms

Distiller.__init__, Distiller._compare = made, compared
"""

# By the name of the arm.
VARIANTS = {
    "soft 3, difference": DIFFERENCE.replace("{factor}", "1.0"),
    "soft 3, difference times 5": DIFFERENCE.replace("{factor}", "5.0"),
    "soft 3, teacher's assignment": ASSIGNMENT,
    "soft 1, frs 10, ramp": RAMP,
    "soft 1, frs 10, crossed": CROSS,
    "soft 1, frs 10, cosine to 0.3": TO_THIRD,
    "soft 1, frs 10, cosine to 0.3, images": TO_THIRD,
    "soft 1, frs 10, late": LATE,
    "soft 1, frs 10, late, images": LATE,
}
