"""Identities: one frozen value says everything that stays the same over a person's pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .domain import Domain
from .palette import CLOTH, HAIR, SKIN, Colour, jittered, pick_name
from .seeds import Stream, generator

LONG_SLEEVED = {"hoodie", "jacket", "coat"}
OPENING = {"jacket", "coat"}
HEMS = {
    "t-shirt": 0.475,
    "shirt": 0.465,
    "hoodie": 0.475,
    "jacket": 0.46,
    "coat": 0.30,
    "dress": 0.36,
}


@dataclass(frozen=True)
class Body:
    """Proportions as fractions of the standing height."""

    shoulder: float
    girth: float
    hip: float
    legs: float
    head: float
    limb: float


@dataclass(frozen=True)
class Garment:
    kind: str
    name: str
    """The colour's name."""
    colour: Colour
    pattern: str
    second_name: str
    second: Colour
    period: float
    """Stripe period as a fraction of the standing height."""
    fit: float
    """Added to the body's radius: a loose coat is 0.02, a tight shirt 0."""


@dataclass(frozen=True)
class Person:
    body: Body
    skin: Colour
    hair: str
    """bald, short, curly, bob, long, ponytail or bun."""
    hair_name: str
    hair_colour: Colour
    beard: bool
    glasses: bool
    hat: str
    hat_colour: Colour
    scarf: Colour | None
    upper: Garment
    long_sleeves: bool
    hem: float
    open_front: bool
    inner: Colour
    lower: Garment
    shoes: Colour
    light_shoes: bool
    boots: bool
    bag: str
    bag_name: str
    bag_colour: Colour
    bag_side: int
    stride: float


def sample_person(seed: int, identity: int, domain: Domain) -> Person:
    """The person behind an identity number; the same for every camera, split and worker."""
    rng = generator(seed, Stream.IDENTITY, identity)
    upper_kind = _choose(rng, domain.uppers)
    upper = _garment(rng, upper_kind, _UPPER_PATTERNS, domain)
    lower_kind = "dress" if upper_kind == "dress" else _choose(rng, domain.lowers)
    if upper_kind == "coat" and lower_kind == "shorts":
        lower_kind = "trousers"
    lower = upper if lower_kind == "dress" else _lower(rng, lower_kind, domain)
    hair_name = str(rng.choice(list(HAIR), p=[0.36, 0.34, 0.14, 0.06, 0.1]))
    bag = _choose(rng, domain.bags)
    bag_name = _colour_name(rng, domain)
    hair = str(rng.choice(_HAIR_STYLES, p=[0.06, 0.36, 0.1, 0.13, 0.18, 0.1, 0.07]))
    light_shoes = bool(rng.random() < 0.4)
    return Person(
        body=_body(rng),
        skin=jittered(rng, SKIN[int(rng.integers(len(SKIN)))], 0.03),
        hair=hair,
        hair_name=hair_name,
        hair_colour=jittered(rng, HAIR[hair_name], 0.08),
        beard=bool(rng.random() < (0.3 if hair in ("bald", "short", "curly") else 0.0)),
        glasses=bool(rng.random() < domain.glasses),
        hat=_choose(rng, domain.hats),
        hat_colour=jittered(rng, CLOTH[_colour_name(rng, domain)], 0.08),
        scarf=_maybe_scarf(rng, domain),
        upper=upper,
        long_sleeves=_long_sleeves(rng, upper_kind),
        hem=HEMS[upper_kind] + float(rng.normal(0, 0.012)),
        open_front=upper_kind in OPENING and bool(rng.random() < 0.5),
        inner=jittered(rng, CLOTH[_colour_name(rng, domain)], 0.08),
        lower=lower,
        shoes=_shoe_colour(rng, light_shoes, domain),
        light_shoes=light_shoes,
        boots=bool(rng.random() < 0.15),
        bag=bag,
        bag_name=bag_name,
        bag_colour=jittered(rng, CLOTH[bag_name], 0.08),
        bag_side=int(rng.choice((-1, 1))),
        stride=float(rng.uniform(0.75, 1.2)),
    )


_HAIR_STYLES = ("bald", "short", "curly", "bob", "long", "ponytail", "bun")
_UPPER_PATTERNS = {
    "plain": 0.46,
    "stripes": 0.13,
    "vertical stripes": 0.08,
    "checks": 0.09,
    "print": 0.14,
    "two-tone": 0.1,
}
_LOWER_PATTERNS = {"plain": 0.76, "side stripe": 0.12, "checks": 0.06, "faded": 0.06}
_FITS = {
    "t-shirt": 0.004,
    "shirt": 0.006,
    "hoodie": 0.012,
    "jacket": 0.013,
    "coat": 0.015,
    "dress": 0.003,
}


def _choose(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    shares = np.array(list(weights.values()))
    return list(weights)[int(rng.choice(len(shares), p=shares / shares.sum()))]


def _colour_name(rng: np.random.Generator, domain: Domain) -> str:
    return pick_name(rng, tuple(CLOTH), domain.palette_concentration)


def _body(rng: np.random.Generator) -> Body:
    frame = float(rng.uniform(-1, 1))
    weight = float(rng.beta(2.0, 2.8))
    return Body(
        shoulder=0.108 + 0.011 * frame + 0.012 * weight,
        girth=0.07 + 0.042 * weight,
        hip=0.084 - 0.005 * frame + 0.026 * weight,
        legs=float(rng.normal(1.0, 0.03)),
        head=float(rng.normal(1.0, 0.045)),
        limb=0.9 + 0.34 * weight,
    )


def _garment(
    rng: np.random.Generator, kind: str, patterns: Mapping[str, float], domain: Domain
) -> Garment:
    name = _colour_name(rng, domain)
    second = _colour_name(rng, domain)
    while second == name or _contrast(name, second) < 90:
        second = str(rng.choice(list(CLOTH)))
    return Garment(
        kind=kind,
        name=name,
        colour=jittered(rng, CLOTH[name], domain.garment_jitter),
        pattern=_choose(rng, patterns),
        second_name=second,
        second=jittered(rng, CLOTH[second], domain.garment_jitter),
        period=float(rng.uniform(0.045, 0.085)),
        fit=_FITS.get(kind, 0.004) + float(rng.uniform(0, 0.006)),
    )


def _lower(rng: np.random.Generator, kind: str, domain: Domain) -> Garment:
    return _garment(rng, kind, _LOWER_PATTERNS, domain)


def _contrast(first: str, second: str) -> float:
    return float(np.abs(np.subtract(CLOTH[first], CLOTH[second])).sum())


def _long_sleeves(rng: np.random.Generator, kind: str) -> bool:
    chance = {"t-shirt": 0.12, "shirt": 0.6, "dress": 0.35}.get(kind, 1.0)
    return bool(rng.random() < chance)


def _maybe_scarf(rng: np.random.Generator, domain: Domain) -> Colour | None:
    worn = rng.random() < domain.scarf
    colour = jittered(rng, CLOTH[str(rng.choice(list(CLOTH)))], 0.08)
    return colour if worn else None


def _shoe_colour(rng: np.random.Generator, light: bool, domain: Domain) -> Colour:
    names = (
        ("white", "light blue", "yellow", "pink", "beige")
        if light
        else ("black", "brown", "navy", "red", "burgundy", "green", "grey")
    )
    return jittered(rng, CLOTH[pick_name(rng, names, 1.0)], 0.06)
