"""Half of a transformer's blocks, inherited: 384x6 from a ViT-S."""

from __future__ import annotations

from ..inherit import halved
from ..student import Student

STUDENT = Student(
    name="vit-half",
    title="every second block of the teacher or of --initial (384x6 from a ViT-S, 11.0 M weights)",
    origin=halved,
)
