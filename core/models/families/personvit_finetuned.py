"""PersonViT and TransReID-SSL after supervised fine-tuning: `base.`, neck, classifier."""

from __future__ import annotations

from ..dead_groups import linear
from ..family import Family
from ..published_preprocess import FINE_TUNED

FAMILY = Family(
    name="personvit-finetuned",
    title="PersonViT or TransReID-SSL, fine-tuned with labels",
    recognise=lambda weights: weights.under("base.") and not weights.has_parts,
    preprocess=FINE_TUNED,
    trunks=("base.",),
    dead=(linear("base.fc", "unused ImageNet classifier"),),
    neck="single",
    needs_classifier=True,
)
