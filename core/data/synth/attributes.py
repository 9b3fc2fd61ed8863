"""Binary attributes: what is true of a person, and what of it one picture shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .person import Person
from .scene import Visible

COLOUR_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "black": ("black",),
    "grey": ("grey",),
    "white": ("white",),
    "blue": ("navy", "blue", "light blue"),
    "red": ("red", "burgundy"),
    "green": ("green", "olive"),
    "yellow": ("yellow", "orange"),
    "pink": ("pink", "purple"),
    "brown": ("brown", "beige"),
}

REGION: Final[Mapping[str, str]] = {
    "hat": "head",
    "long_hair": "head",
    "bald": "head",
    "glasses": "face",
    "beard": "face",
    "scarf": "upper",
    "backpack": "bag",
    "shoulder_bag": "bag",
    "handbag": "bag",
    "long_sleeves": "upper",
    "outerwear": "upper",
    "open_front": "chest",
    "striped_or_checked": "upper",
    "print": "chest",
    "dress": "upper",
    "trousers": "lower",
    "shorts": "lower",
    "skirt": "lower",
    "light_shoes": "feet",
    "boots": "feet",
    **{f"upper_{colour}": "upper" for colour in COLOUR_GROUPS},
    **{f"lower_{colour}": "lower" for colour in COLOUR_GROUPS},
}
"""Every attribute in the order of the file's columns, with the part that must be seen to tell."""


def truth(person: Person) -> dict[str, bool]:
    """What is true of the person in every picture, seen or not."""
    upper, lower = person.upper, person.lower
    facts = {
        "hat": person.hat != "none",
        "long_hair": person.hair in ("long", "ponytail"),
        "bald": person.hair == "bald" and person.hat == "none",
        "glasses": person.glasses,
        "beard": person.beard,
        "scarf": person.scarf is not None,
        "backpack": person.bag == "backpack",
        "shoulder_bag": person.bag == "shoulder bag",
        "handbag": person.bag == "handbag",
        "long_sleeves": person.long_sleeves,
        "outerwear": upper.kind in ("jacket", "coat"),
        "open_front": person.open_front,
        "striped_or_checked": upper.pattern in ("stripes", "vertical stripes", "checks"),
        "print": upper.pattern == "print" and not person.open_front,
        "dress": upper.kind == "dress",
        "trousers": lower.kind == "trousers",
        "shorts": lower.kind == "shorts",
        "skirt": lower.kind == "skirt",
        "light_shoes": person.light_shoes,
        "boots": person.boots,
    }
    for group, names in COLOUR_GROUPS.items():
        facts[f"upper_{group}"] = upper.name in names
        facts[f"lower_{group}"] = lower.kind != "dress" and lower.name in names
    return facts


def shown(person: Person, visible: Visible) -> dict[str, bool]:
    """What this picture shows: true only if it is so and can be seen."""
    parts = {
        "head": visible.head,
        "face": visible.head and visible.front,
        "upper": visible.upper,
        "chest": visible.upper and visible.front,
        "bag": visible.bag,
        "lower": visible.lower,
        "feet": visible.feet,
    }
    return {name: fact and parts[REGION[name]] for name, fact in truth(person).items()}
