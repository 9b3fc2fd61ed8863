"""Our weights under the names of the published code, complete down to its unused tensors."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor

from ..errors import CheckpointError
from .vit import ReidVit

IMAGENET_CLASSES = 1000
_BACKBONE = "backbone."


def to_upstream(model: ReidVit) -> OrderedDict[str, Tensor]:
    """The state that the strict loaders of PersonViT, PASS and TransReID-SSL accept.

    With a classifier it is the supervised layout (`base.`), with a neck only the unsupervised one
    (bare names), and without either a bare backbone as the pre-training converters write it.
    """
    config = model.config
    if config.tokens not in ("cls", "pass"):
        raise CheckpointError(
            f"no published code has tokens {config.tokens!r}; export the model to ONNX instead"
        )
    if config.token_schedule:
        raise CheckpointError(
            "no published code drops tokens on the way; export the model to ONNX instead"
        )
    if config.projection:
        raise CheckpointError(
            "no published code ends in a projection into a teacher's space; "
            "export the model to ONNX instead"
        )
    if config.tokens == "pass" and config.cameras:
        raise CheckpointError("the published PASS code cannot run with camera embeddings")
    if config.classes and config.neck == "none":
        raise CheckpointError("the published code has no classifier without a neck (bottleneck)")
    supervised = config.classes > 0
    trunk = "base." if supervised else ""
    state = OrderedDict(
        (_name(key, trunk, supervised), value.detach().cpu().clone().contiguous())
        for key, value in model.state_dict().items()
    )
    if supervised:
        # The published classes build timm's ImageNet classifier and never use it.
        state["base.fc.weight"] = torch.zeros(IMAGENET_CLASSES, config.width)
        state["base.fc.bias"] = torch.zeros(IMAGENET_CLASSES)
    return state


def _name(key: str, trunk: str, supervised: bool) -> str:
    if key.startswith(_BACKBONE):
        return trunk + key[len(_BACKBONE) :]
    return key if supervised else key.replace("bottleneck_", "bottleneck_pt")
