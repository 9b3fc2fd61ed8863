"""timm's and DeiT's vision transformers with their ImageNet classifier."""

from __future__ import annotations

from ..dead_groups import linear
from ..family import DeadGroup, Family
from ..published_preprocess import CLASSIFIER

FAMILY = Family(
    name="timm",
    title="timm or DeiT, trained on ImageNet",
    recognise=lambda weights: (
        weights.has("head.weight", "head.bias", "dist_token", "head_dist", "pre_logits")
        and not weights.has_parts
        and not weights.has_neck
        and not weights.under("base.")
    ),
    preprocess=CLASSIFIER,
    dead=(
        linear("head", "ImageNet classifier"),
        linear("head_dist", "distillation classifier"),
        DeadGroup("distillation token", {"dist_token": (1, 1, "D")}),
        linear("pre_logits.fc", "layer before the ImageNet classifier"),
    ),
    note="The file does not say its normalisation; a config.json of timm beside it does.",
)
