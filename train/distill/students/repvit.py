"""RepViT-M1.0: a light convolutional student."""

from __future__ import annotations

from ..student import Student, drawn

STUDENT = Student(
    name="repvit",
    title="RepViT-M1.0 (convolutional, 6.4 M weights)",
    origin=drawn("repvit_m1_0"),
)
