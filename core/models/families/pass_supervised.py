"""PASS after supervised fine-tuning: `base.`, one neck or four, classifier."""

from __future__ import annotations

from ..dead_groups import linear
from ..family import Family
from ..published_preprocess import FINE_TUNED

FAMILY = Family(
    name="pass-supervised",
    title="PASS, fine-tuned with labels",
    recognise=lambda weights: weights.has_parts and weights.under("base."),
    preprocess=FINE_TUNED,
    trunks=("base.",),
    dead=(linear("base.fc", "unused ImageNet classifier"),),
    tokens="pass",
    neck="single-or-multi",
    needs_classifier=True,
)
