"""The known-bad list: every row, as docs/doctor.md shows it."""

from __future__ import annotations

from . import known_bad_general, known_bad_jetpack, known_bad_versions
from .known_bad_row import Row

ROWS: tuple[Row, ...] = (
    *known_bad_versions.ROWS,
    *known_bad_general.ROWS,
    *known_bad_jetpack.ROWS,
)
