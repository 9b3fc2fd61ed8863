"""ViT-S/16: for a ViT-B teacher."""

from __future__ import annotations

from ..student import Student, drawn

STUDENT = Student(
    name="vit-small",
    title="ViT-S/16 (384x12, 21.6 M weights)",
    origin=drawn("vit_small_16"),
)
