"""The losses of distillation: AddLoss.py, distill_losses.py."""

from __future__ import annotations

from promises import Break

LOSSES = "patches/AddLoss.py"
LATER = "patches/distill_losses.py"

BREAKS = (
    Break(
        "an online teacher learns nothing from being imitated",
        LOSSES,
        "t_p.detach().float()",
        "t_p.float()",
        "gradient::learns_nothing and 8.3.200",
    ),
    Break(
        "the losses are computed in float32",
        LOSSES,
        "torch.autocast(device.type, enabled=False)",
        "nullcontext()",
        "losses",
    ),
    Break(
        "a teacher's maps of another size are scaled",
        LOSSES,
        "if x.shape[2:] == like.shape[2:]:",
        "if True:",
        "models::8.0.136",
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
        "mimic is the tutorial's",
        LOSSES,
        "return sum(F.mse_loss(s, t) for s, t in level_pairs(y_s, y_t))",
        "return sum(F.l1_loss(s, t) for s, t in level_pairs(y_s, y_t))",
        "losses",
    ),
    Break(
        "the feature loss fades within each epoch",
        LOSSES,
        "return 1 - 0.9 * ",
        "return 1 - 0.8 * ",
        "losses",
    ),
    Break(
        "pkd is the correlation of channels",
        LATER,
        "x = x - x.mean((0, 2, 3), keepdim=True)",
        "x = x - x.mean((0, 1, 2, 3), keepdim=True)",
        "later_losses::pkd",
    ),
    Break(
        "relations are those of the teacher's most confident places",
        LATER,
        "w.flatten(1).topk(min(self.PLACES, w[0].numel()))",
        "w.flatten(1).topk(min(self.PLACES, w[0].numel()), largest=False)",
        "later_losses::relations",
    ),
    Break(
        "a teacher that is sure of nothing teaches no relations",
        LATER,
        "pairs.sum((1, 2)).clamp(min=1)",
        "pairs.sum((1, 2))",
        "later_losses::relations",
    ),
    Break(
        "a loss that compares no channels trains nothing",
        LATER,
        "    aligns = False\n",
        "",
        "later_losses::relations",
    ),
    Break(
        "mgd does not grow with the image",
        LOSSES,
        "if self.places else 1",
        "if False else 1",
        "losses::grows",
    ),
    Break(
        "the tutorial's recipe has mgd as published",
        "patches/distiller.py",
        "scaled=not self.tutorial",
        "scaled=True",
        "gradient::published_size and 8.4.190",
    ),
    Break(
        "the student's average is followed less than a real teacher",
        "patches/distill_arguments.py",
        'given.get("model_t") == AVERAGE else {}',
        "False else {}",
        "learning::called_the_default",
    ),
)
