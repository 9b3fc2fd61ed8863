"""iBOT's pre-training over square ImageNet images."""

from __future__ import annotations

from ..family import Family
from ..published_preprocess import PRE_TRAINED
from .personvit_pretrained import FAMILY as PERSONVIT

FAMILY = Family(
    name="ibot",
    title="iBOT, pre-trained on ImageNet",
    recognise=lambda weights: (
        weights.has("masked_embed", "head.last_layer2") and not weights.has_parts and weights.square
    ),
    preprocess=PRE_TRAINED,
    trunks=PERSONVIT.trunks,
    dead=PERSONVIT.dead,
)
