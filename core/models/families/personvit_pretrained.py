"""PersonViT's pre-training: iBOT's layout over upright images."""

from __future__ import annotations

from ..dead_groups import mask_token, projection
from ..family import Family
from ..published_preprocess import PRE_TRAINED

FAMILY = Family(
    name="personvit-pretrained",
    title="PersonViT, pre-trained",
    recognise=lambda weights: (
        weights.has("masked_embed", "head.last_layer2")
        and not weights.has_parts
        and not weights.square
    ),
    preprocess=PRE_TRAINED,
    trunks=("backbone.", ""),
    dead=(
        projection("head.mlp", "head.last_layer", "head.last_layer2"),
        mask_token("masked_embed"),
        mask_token("backbone.masked_embed"),
    ),
)
