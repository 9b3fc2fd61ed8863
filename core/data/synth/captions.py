"""Two English sentences for a picture, which mention nothing that it does not show."""

from __future__ import annotations

import numpy as np

from .person import Garment, Person
from .scene import Visible

NOBODY = ("No person can be made out in this crop.", "The crop shows the scene only.")


def describe(rng: np.random.Generator, person: Person, visible: Visible) -> tuple[str, str]:
    """First sentence: clothes. Second: hair, bag and shoes."""
    if not visible.person:
        return NOBODY
    subject = str(rng.choice(("A person", "A pedestrian", "Someone")))
    clothes = _clothes(person, visible)
    first = f"{subject} wears {_join(clothes)}." if clothes else f"{subject} is mostly hidden."
    details = _details(person, visible)
    if not details:
        return first, str(rng.choice(("Little else can be seen.", "The rest is hidden.")))
    opening = str(rng.choice(("The person has", "One can see", "The crop shows")))
    return first, f"{opening} {_join(details)}."


def _clothes(person: Person, visible: Visible) -> list[str]:
    words = []
    if visible.upper:
        sleeves = "long-sleeved " if person.long_sleeves else "short-sleeved "
        plain = person.upper.kind in ("hoodie", "jacket", "coat")
        words.append(
            _article(
                ("" if plain else sleeves)
                + _garment(person.upper, visible.front and not person.open_front)
            )
        )
    if visible.lower and person.lower.kind != "dress":
        text = _garment(person.lower, True)
        words.append(text if person.lower.kind in ("trousers", "shorts") else _article(text))
    if visible.head and person.hat != "none":
        words.append(_article(person.hat))
    return words


def _garment(garment: Garment, front: bool) -> str:
    colour, kind = garment.name, garment.kind
    if garment.pattern == "stripes":
        return f"{kind} with {colour} and {garment.second_name} stripes"
    if garment.pattern == "vertical stripes":
        return f"{colour} {kind} with {garment.second_name} vertical stripes"
    if garment.pattern == "checks":
        return f"{colour} and {garment.second_name} checked {kind}"
    if garment.pattern == "two-tone":
        return f"{colour} {kind} that is {garment.second_name} at the top"
    if garment.pattern == "print" and front:
        return f"{colour} {kind} with a {garment.second_name} print"
    if garment.pattern == "side stripe":
        return f"{colour} {kind} with a {garment.second_name} stripe at the side"
    return f"{colour} {kind}"


def _details(person: Person, visible: Visible) -> list[str]:
    words = []
    if visible.head:
        words.append(_hair(person))
        if visible.front and person.glasses:
            words.append("glasses")
        if visible.front and person.beard:
            words.append("a beard")
    if visible.upper and person.scarf is not None:
        words.append("a scarf")
    if visible.bag and person.bag != "none":
        words.append(_article(f"{person.bag_name} {person.bag}"))
    if visible.feet:
        tone = "light" if person.light_shoes else "dark"
        words.append(f"{tone} {'boots' if person.boots else 'shoes'}")
    return words


def _hair(person: Person) -> str:
    name = person.hair_name
    styles = {
        "bald": "a bald head" if person.hat == "none" else "no hair under the hat",
        "short": f"short {name} hair",
        "curly": f"curly {name} hair",
        "bob": f"chin-length {name} hair",
        "long": f"long {name} hair",
        "ponytail": f"a {name} ponytail",
        "bun": f"{name} hair in a bun",
    }
    return styles[person.hair]


def _article(text: str) -> str:
    return ("an " if text[0] in "aeiou" else "a ") + text


def _join(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
