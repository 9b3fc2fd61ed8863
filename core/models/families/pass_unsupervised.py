"""PASS after unsupervised or domain-adaptive fine-tuning: a bare backbone, necks of other names."""

from __future__ import annotations

from ..family import Family
from ..published_preprocess import UNSUPERVISED

FAMILY = Family(
    name="pass-unsupervised",
    title="PASS, fine-tuned without labels (USL or UDA)",
    recognise=lambda weights: weights.has_parts and not weights.under("base.") and weights.has_neck,
    preprocess=UNSUPERVISED,
    renames={f"bottleneck_{part}": f"bottleneck_pt{part}" for part in (1, 2, 3)},
    tokens="pass",
    neck="single-or-multi",
    neck_feature="after",
    branch_norm=True,
)
