"""DINO over square ImageNet images, and any bare backbone of that shape."""

from __future__ import annotations

from ..dead_groups import linear, projection
from ..family import Family, Weights
from ..published_preprocess import PRE_TRAINED


def _recognise(weights: Weights) -> bool:
    other = ("masked_embed", "head.last_layer2", "head.weight", "head.bias", "dist_token")
    trained = ("patch_embed.conv", "head_dist", "pre_logits")
    return (
        weights.square
        and not weights.has_parts
        and not weights.has_neck
        and not weights.has(*other, *trained)
        and not weights.under("base.")
        and "target_encoder" not in weights.wrappers
    )


FAMILY = Family(
    name="dino",
    title="DINO, or a bare square backbone",
    recognise=_recognise,
    preprocess=PRE_TRAINED,
    trunks=("backbone.", ""),
    dead=(
        projection("head.mlp", "head.last_layer"),
        linear("backbone.fc", "unused ImageNet classifier"),
        linear("fc", "unused ImageNet classifier"),
    ),
)
