"""ViT-T/16: the light transformer to deploy."""

from __future__ import annotations

from ..student import Student, drawn

STUDENT = Student(
    name="vit-tiny",
    title="ViT-T/16 (192x12, 5.5 M weights)",
    origin=drawn("vit_tiny_16"),
)
