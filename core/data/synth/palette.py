"""The colours clothes, hair and skin come in, under names that a caption can use."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Colour = tuple[float, float, float]

CLOTH: Mapping[str, Colour] = {
    "black": (34, 34, 38),
    "grey": (126, 128, 132),
    "white": (228, 228, 224),
    "navy": (34, 44, 84),
    "blue": (52, 96, 178),
    "light blue": (142, 184, 220),
    "red": (186, 40, 42),
    "burgundy": (104, 30, 46),
    "green": (44, 124, 66),
    "olive": (96, 98, 58),
    "yellow": (224, 192, 56),
    "orange": (222, 120, 40),
    "pink": (222, 140, 166),
    "purple": (112, 66, 146),
    "brown": (104, 70, 46),
    "beige": (200, 178, 142),
}
"""From the most to the least worn; a domain's concentration is a power of this rank."""

HAIR: Mapping[str, Colour] = {
    "black": (26, 22, 22),
    "brown": (78, 52, 34),
    "blond": (200, 164, 98),
    "red": (146, 70, 34),
    "grey": (158, 156, 152),
}

SKIN: tuple[Colour, ...] = (
    (238, 202, 178),
    (224, 180, 150),
    (200, 152, 118),
    (164, 114, 82),
    (122, 82, 58),
    (84, 56, 42),
)


def pick_name(rng: np.random.Generator, names: tuple[str, ...], concentration: float) -> str:
    """Draw a name with a probability that falls with its rank."""
    weights = (1.0 + np.arange(len(names))) ** -concentration
    return names[int(rng.choice(len(names), p=weights / weights.sum()))]


def jittered(rng: np.random.Generator, colour: Colour, amount: float) -> Colour:
    """The same colour name on another garment: a little lighter, darker or tinted."""
    light = 1.0 + float(rng.normal(0.0, amount))
    tint = rng.normal(0.0, 45.0 * amount, 3)
    red, green, blue = (
        float(min(max(c * light + t, 8), 246)) for c, t in zip(colour, tint, strict=True)
    )
    return red, green, blue
