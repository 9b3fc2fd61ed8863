"""TransReID-SSL after unsupervised or domain-adaptive fine-tuning: a bare backbone and a neck."""

from __future__ import annotations

from ..family import Family
from ..published_preprocess import UNSUPERVISED

FAMILY = Family(
    name="transreid-ssl-unsupervised",
    title="TransReID-SSL, fine-tuned without labels (USL or UDA)",
    recognise=lambda weights: (
        weights.has_neck and not weights.under("base.") and not weights.has_parts
    ),
    preprocess=UNSUPERVISED,
    neck="single",
    neck_feature="after",
)
