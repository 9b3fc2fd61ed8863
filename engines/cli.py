"""The command line of this room: `personvit-engine`."""

from __future__ import annotations

from ..core.command import CommandGroup

main = CommandGroup("personvit-engine", "Run models behind one protocol.")
