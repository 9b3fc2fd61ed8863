"""Between ViT-T and ViT-S: twelve blocks of width 256."""

from __future__ import annotations

from ..student import Student, drawn

STUDENT = Student(
    name="vit-narrow",
    title="12 blocks of width 256 (9.7 M weights)",
    origin=drawn("vit_narrow_16"),
)
