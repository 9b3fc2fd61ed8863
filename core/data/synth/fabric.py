"""Paints for garments: patterns that wrap around the body, openings, straps and prints."""

from __future__ import annotations

import numpy as np

from .palette import Colour
from .person import Garment, Person
from .tube import Paint, Plane, Surface, column, mix, step


def sleeve(garment: Garment) -> Paint:
    """A sleeve or a trouser leg: the pattern without what belongs to the chest only."""
    if garment.pattern in ("stripes", "checks"):
        return _striped(garment, 0.165)
    if garment.pattern == "two-tone" and garment.kind in ("hoodie", "jacket", "t-shirt"):
        second = column(garment.second)
        return lambda surface: second
    first = column(garment.colour)
    return lambda surface: first


def leg(garment: Garment, side: int, length: float) -> Paint:
    first, second = column(garment.colour), column(garment.second)
    if garment.pattern == "checks":
        return _striped(garment, length)
    if garment.pattern == "side stripe":
        return lambda s: mix(first, second, step(s.x * np.float32(side) - np.float32(0.72), 8))
    if garment.pattern == "faded":
        pale = np.minimum(first * 1.35 + 24, 245)
        return lambda s: mix(first, pale, np.maximum(s.facing - np.float32(0.45), 0) * 1.5)
    return lambda surface: first


def trunk(person: Person, length: float) -> Paint:
    """The upper garment on the torso; `length` is its height as a fraction of the body's."""
    garment = person.upper
    base, skin = _base(garment, length), column(person.skin)

    def paint(surface: Surface) -> Plane:
        colour = base(surface)
        if garment.pattern == "print":
            colour = mix(colour, column(garment.second), _print(surface, garment))
        if person.open_front:
            colour = _opening(surface, colour, person.inner)
        elif garment.kind in ("jacket", "coat", "shirt"):
            colour = colour * (1 - 0.45 * _stripe(surface.angle, 0.0, 0.05))
        if garment.kind == "hoodie":
            colour = _hood_and_pocket(surface, colour)
        if garment.kind in ("t-shirt", "shirt", "dress"):
            colour = mix(colour, skin, _neckline(surface, garment))
        return _straps(surface, colour, person)

    return paint


def skirt(garment: Garment, length: float) -> Paint:
    base = _base(garment, length)

    def paint(surface: Surface) -> Plane:
        pleats: Plane = 1 - np.float32(0.13) * (
            np.sin(surface.angle * np.float32(11)) * surface.u + 0.2
        )
        return base(surface) * pleats

    return paint


def _base(garment: Garment, length: float) -> Paint:
    first, second = column(garment.colour), column(garment.second)
    if garment.pattern in ("stripes", "checks"):
        return _striped(garment, length)
    if garment.pattern == "vertical stripes":
        return lambda s: mix(first, second, step(np.sin(s.angle * np.float32(9)) - 0.3, 2.5))
    if garment.pattern == "two-tone":
        cut = 0.42 if garment.kind != "dress" else 0.5
        return lambda s: mix(second, first, step(s.u - np.float32(cut), 40))
    return lambda surface: first


def _striped(garment: Garment, length: float) -> Paint:
    first, second = column(garment.colour), column(garment.second)
    turns = np.float32(2 * np.pi * length / garment.period)

    def paint(surface: Surface) -> Plane:
        rows = step(np.sin(surface.u * turns), 2.2)
        if garment.pattern == "checks":
            columns = step(np.sin(surface.angle * np.float32(7)), 2.2)
            rows = (rows + columns) * np.float32(0.5)
        return mix(first, second, rows)

    return paint


def _stripe(angle: Plane, centre: float, half: float) -> Plane:
    return step(np.float32(half) - np.abs(angle - np.float32(centre)), 14)


def _print(surface: Surface, garment: Garment) -> Plane:
    """A disc, a bar or a square on the chest, chosen by the garment's period."""
    kind = int(garment.period * 1e4) % 3
    up = (surface.u - np.float32(0.36)) * np.float32(2.6)
    wide = surface.angle * np.float32(0.9)
    if kind == 0:
        return step(np.float32(0.42) - np.hypot(wide, up), 9)
    if kind == 1:
        return step(np.float32(0.2) - np.abs(up), 9) * step(np.float32(0.8) - np.abs(wide), 9)
    return step(np.float32(0.38) - np.maximum(np.abs(wide), np.abs(up)), 9)


def _opening(surface: Surface, colour: Plane, inner: Colour) -> Plane:
    half = np.float32(0.16) + np.float32(0.22) * surface.u
    return mix(colour, column(inner), step(half - np.abs(surface.angle), 12))


def _hood_and_pocket(surface: Surface, colour: Plane) -> Plane:
    hood = step(np.float32(0.24) - surface.u, 20) * step(-surface.z - np.float32(0.15), 6)
    pocket = _stripe(surface.u, 0.74, 0.02) * step(np.float32(0.55) - np.abs(surface.angle), 12)
    shaded: Plane = colour * (1 - np.float32(0.28) * np.maximum(hood, pocket))
    return shaded


def _neckline(surface: Surface, garment: Garment) -> Plane:
    depth, half = {"shirt": (0.13, 0.3), "dress": (0.13, 0.6)}.get(garment.kind, (0.075, 0.55))
    edge = np.float32(depth) * (1 - np.abs(surface.angle) * np.float32(1 / half))
    return step(edge - surface.u, 60) * step(surface.z, 6)


def _straps(surface: Surface, colour: Plane, person: Person) -> Plane:
    if person.bag == "backpack":
        mask = _stripe(np.abs(surface.angle), 0.62, 0.11) * step(np.float32(0.52) - surface.u, 20)
        return mix(colour, column(person.bag_colour), mask)
    if person.bag == "shoulder bag":
        # The strap runs from one shoulder to the other hip, on the chest and on the back.
        slope = (np.float32(0.42) - surface.u) * np.float32(-1.7 * person.bag_side)
        return mix(
            colour,
            column(person.bag_colour),
            step(np.float32(0.11) - np.abs(surface.x - slope), 12),
        )
    return colour
