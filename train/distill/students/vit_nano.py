"""What the demonstration size is distilled into; far too small for real pedestrians."""

from __future__ import annotations

from ..student import Student, drawn

STUDENT = Student(
    name="vit-nano",
    title="6 blocks of width 64 (0.4 M weights), for demonstrations",
    origin=drawn("vit_nano_16"),
)
