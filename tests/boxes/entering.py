"""Lets a test stand on one of the devices of this folder."""

from __future__ import annotations

import os
from pathlib import Path

BOXES = Path(__file__).parent
NAMES = ("orin-nano-jp62", "agx-orin-jp72", "thor-jp71")


def enter(monkeypatch, name: str, root: Path | None = None) -> Path:
    """Take the box for the system; `root` is a changed copy of it."""
    place = root or BOXES / name
    monkeypatch.setenv("PERSONVIT_SYSTEM_ROOT", str(place))
    monkeypatch.setenv("PATH", f"{place / 'usr/bin'}{os.pathsep}{os.environ['PATH']}")
    return place
