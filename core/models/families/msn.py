"""MSN's pre-training over square ImageNet images (`target_encoder`)."""

from __future__ import annotations

from ..dead_groups import wide_projection
from ..family import Family
from ..published_preprocess import PRE_TRAINED

FAMILY = Family(
    name="msn",
    title="MSN, pre-trained on ImageNet",
    recognise=lambda weights: "target_encoder" in weights.wrappers,
    preprocess=PRE_TRAINED,
    dead=(wide_projection("fc"),),
)
