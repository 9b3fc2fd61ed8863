"""Version texts as tuples that compare, however packages and modules spell them."""

from __future__ import annotations

import re

Version = tuple[int, ...]

_NUMBERS = re.compile(r"[vVrR]?(\d+(?:\.\d+)*)")
_LONGEST = 9
"""Digits of one part; longer ones are a digest or a date, and nobody's version."""


def version_of(text: str | None) -> Version:
    """The leading numbers of `10.3.0.30-1+cuda12.5`; empty where a text begins with none."""
    found = _NUMBERS.match((text or "").strip())
    parts = found[1].split(".") if found else []
    return () if any(len(part) > _LONGEST for part in parts) else tuple(map(int, parts))


def plain(text: str | None) -> str | None:
    """The numbers alone, as a person writes them; None where there are none."""
    return ".".join(map(str, version_of(text))) or None


def within(version: Version, first: Version, until: Version | None) -> bool:
    """Whether a version lies from `first` to before `until`; an unknown version lies nowhere."""
    return bool(version) and version >= first and (until is None or version < until)
