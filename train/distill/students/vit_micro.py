"""The demonstration size, which learns on a CPU in minutes."""

from __future__ import annotations

from ..student import Student, drawn

STUDENT = Student(
    name="vit-micro",
    title="12 blocks of width 128 (2.5 M weights), for demonstrations",
    origin=drawn("vit_micro_16"),
)
