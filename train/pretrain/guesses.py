"""Which numbers of a shipped recipe are guesses: its own comments say so."""

from __future__ import annotations

import re
from importlib import resources

import tomllib

from . import recipes

MARK = "guess:"
ONWARDS = "all that follows"
"""In a guess's comment: the rest of its section is one too."""

_SECTION = re.compile(r"\[(?P<name>[\w.]+)\]")
_FIELD = re.compile(r"(?P<key>\w+) *= *[^#]*(?:# *(?P<comment>.*))?")


def guesses(name: str) -> dict[str, str]:
    """Fields, such as `optimiser.lr`, with the source of what was guessed for them."""
    text = (resources.files(recipes) / f"{name}.toml").read_text(encoding="utf-8")
    base = tomllib.loads(text).get("base")
    found = guesses(base) if base else {}
    section, onwards = "", ""
    for line in text.splitlines():
        if match := _SECTION.fullmatch(line.strip()):
            section, onwards = f"{match['name']}.", ""
        elif match := _FIELD.fullmatch(line.strip()):
            comment = match["comment"] or ""
            source = comment.partition(MARK)[2].strip() or onwards
            if ONWARDS in source:
                onwards = source
            # What a recipe says without calling it a guess replaces its base's guess.
            found.pop(section + match["key"], None)
            if source:
                found[section + match["key"]] = source
    return found
