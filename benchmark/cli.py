"""The command line of this room: `personvit-benchmark`."""

from __future__ import annotations

from ..core.command import CommandGroup

main = CommandGroup("personvit-benchmark", "Measure accuracy and speed.")
