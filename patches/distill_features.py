# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""What is caught of a YOLO model's forward pass: feature maps of its layers and raw outputs of its head."""

from __future__ import annotations

import torch

from .distill_models import at_rest, branches, de_parallel, head, layers_of


def get_fpn_features(x, model, fpn_layers=(15, 18, 21)):
    """Return the feature maps that some layers of a model make of a batch; the layers after them do no work.

    Args:
        x (torch.Tensor): Images of shape (N, C, H, W).
        model (nn.Module): A YOLO model.
        fpn_layers (list[int]): Layer numbers.

    Returns:
        (list[torch.Tensor]): A feature map a layer, in the order of the layers in the model.
    """
    model = de_parallel(model)
    outputs, features = [], []
    for m in model.model[:-1][: max(fpn_layers) + 1]:  # never the head
        if m.f != -1:  # not from the previous layer
            x = outputs[m.f] if isinstance(m.f, int) else [x if j == -1 else outputs[j] for j in m.f]
        x = m(x)
        outputs.append(x if m.i in model.save else None)
        if m.i in fpn_layers:
            features.append(x)
    return features


def get_features(x, model, layers):
    """Return the feature maps that layers make in the model's own forward pass, which ends with the last of them.

    Args:
        x (torch.Tensor): Images of shape (N, C, H, W).
        model (nn.Module): A YOLO model, which may have a forward pass of its own.
        layers (list[int]): Layer numbers; a layer may be there more than once.

    Returns:
        (list[torch.Tensor | None]): What each layer puts out, in the order given; None from one that is not run.
    """
    if not layers:
        return []
    watch = Watch(layers)
    watch.start(model, alone=True)
    try:
        model(x)
    except AllCaught:
        pass
    finally:
        outputs = watch.outputs()
        watch.stop()
    return outputs


def get_channels(model, fpn_layers=(15, 18, 21)):
    """Return the channels of the feature maps of some layers, in the order of the layers in the model.

    Args:
        model (nn.Module): A YOLO model; neither its statistics nor its mode are changed.
        fpn_layers (list[int]): Layer numbers.

    Returns:
        (list[int]): The channels.
    """
    with at_rest(model) as blank:
        return [feature.shape[1] for feature in get_features(blank, model, sorted(set(fpn_layers)))]


def active_branches(model):
    """Return the branches of its head that a model goes through: with end2end=False, some releases leave one out."""
    model, active = de_parallel(model), []
    handles = [
        boxes[0].register_forward_hook(lambda *_, branch=branch: active.append(branch))
        for branch, (boxes, _) in branches(head(model)).items()
    ]
    try:
        with at_rest(model) as blank:
            head(model).training = True  # which spares it to make boxes of its outputs
            model(blank)
    finally:
        for handle in handles:
            handle.remove()
    return active


class AllCaught(Exception):
    """A forward pass has put out all that it was made for."""


class Watch:
    """Catch feature maps and raw head outputs of a model in passing, during one forward pass.

    The hooks exist for that pass alone, so nothing is left on a model that is copied or pickled later.

    Args:
        layers (list[int]): Layers whose feature maps to catch.
        branches (list[str]): Branches of the head whose outputs to catch, see branches; empty for none.
    """

    def __init__(self, layers, branches=()):
        self.layers, self.branches = layers, branches
        self._features, self._logits = [], {}
        self._caught, self._handles, self._alone = {}, [], False

    def start(self, model, alone=False):
        """Hook a YOLO model, whose modules may have been exchanged since last time; drop what is left from then.

        Args:
            model (nn.Module): The model, which may be wrapped.
            alone (bool): Whether the forward pass is for what is caught alone: it ends in AllCaught.
        """
        self.stop()
        self._alone = alone
        wrapped, model = model, de_parallel(model)
        found = branches(head(model))
        numbered = layers_of(model)
        self._features = [numbered[i] for i in self.layers]
        self._logits = {branch: list(zip(*found[branch])) for branch in self.branches}
        self._watched = {*self._features, *self._heads()}
        self._handles = [module.register_forward_hook(self._catch) for module in self._watched]
        if self._logits and wrapped is not model:
            self._handles.append(model.register_forward_hook(self._tie))

    def _heads(self):
        """Return the modules of the head that are watched."""
        return [module for pairs in self._logits.values() for pair in pairs for module in pair]

    def _tie(self, model, inputs, output):
        """Let the loss that a model puts out depend on what was caught of its head, though by nothing.

        DDP looks in the output for the parameters that the backward pass will reach, and takes no gradient for the
        others. Those of the boxes may be among them where no image of a batch has an object (in 8.4.0 to 8.4.153, say),
        and the logit loss reaches them all the same.
        """
        if isinstance(output, tuple) and isinstance(output[0], torch.Tensor) and output[0].requires_grad:
            nothing = sum(self._caught[module][..., :0].sum() for module in self._heads())
            return (output[0] + nothing, *output[1:])
        return output  # predictions, of which the loss is computed outside the model

    def _catch(self, module, inputs, output):
        self._caught[module] = output
        if self._alone and len(self._caught) == len(self._watched):
            raise AllCaught

    def outputs(self):
        """Return what the layers have put out so far, None for one that was not run."""
        return [self._caught.get(module) for module in self._features]

    def stop(self):
        """Unhook the model and forget what was caught."""
        for handle in self._handles:
            handle.remove()
        self._caught, self._handles = {}, []

    def take(self):
        """Return what was caught, and forget it.

        Returns:
            features (list[torch.Tensor]): Feature maps of shape (N, C, H, W), in the order of the layers.
            logits (dict[str, list[torch.Tensor]]): By branch, raw outputs of shape (N, 4 * reg_max + classes, H, W), a
                tensor a level.
        """
        caught = self._caught
        features = [caught[m] for m in self._features]
        logits = {
            branch: [torch.cat([caught[boxes], caught[classes]], 1) for boxes, classes in pairs]
            for branch, pairs in self._logits.items()
        }
        self.stop()
        return features, logits
