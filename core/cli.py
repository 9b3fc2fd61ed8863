"""The command line of this room: `personvit-data`."""

from __future__ import annotations

from .command import CommandGroup

main = CommandGroup("personvit-data", "Look at, check and make data sets of person crops.")
