"""PASS's pre-training: a class and three part tokens, raw or as its converter leaves it."""

from __future__ import annotations

from ..dead_groups import projection
from ..family import Family
from ..published_preprocess import PRE_TRAINED

HEADS = ("cls", "pt1", "pt2", "pt3")

FAMILY = Family(
    name="pass-pretrained",
    title="PASS, pre-trained",
    recognise=lambda weights: (
        weights.has_parts and not weights.under("base.") and not weights.has_neck
    ),
    preprocess=PRE_TRAINED,
    trunks=("backbone.", ""),
    dead=tuple(projection(f"head.mlp_{token}", f"head.last_layer_{token}") for token in HEADS),
    tokens="pass",
    note="PASS fuses its tokens by `cat` unless told otherwise (--fusion mean).",
)
