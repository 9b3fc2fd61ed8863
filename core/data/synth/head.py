"""Heads: skull, face, hair, beard, glasses and hats on one ellipsoid that turns with the body."""

from __future__ import annotations

import numpy as np

from .palette import Colour
from .person import Person
from .pose import Pose, View
from .tube import Layer, Paint, Plane, Surface, column, flat, mix, step


def draw_neck(layer: Layer, view: View, pose: Pose, person: Person) -> None:
    radius = 0.028 * view.scale * min(person.body.limb, 1.15)
    start = view.project(pose.neck)
    layer.tube(
        start, view.project(pose.head), (radius * 1.25, radius), flat(_dim(person.skin, 0.85))
    )


def draw_scarf(layer: Layer, view: View, pose: Pose, colour: Colour) -> None:
    x, y = view.project(pose.neck)
    wide = view.half_width(0.05, 0.05)
    layer.tube((x - wide * 0.5, y), (x + wide * 0.5, y), (wide * 0.62,) * 2, flat(colour))
    front = view.project((0.03, pose.shoulder_height - 0.1, 0.1))
    if np.cos(view.yaw) > -0.1:
        layer.tube((x, y), front, (wide * 0.36, wide * 0.3), flat(colour))


def draw_back_hair(layer: Layer, view: View, pose: Pose, person: Person) -> None:
    """What hangs or stands behind the skull."""
    size = person.body.head
    x, y, z = pose.head
    paint = _strands(person.hair_colour)
    s = view.scale

    def at(up: float, back: float) -> tuple[float, float]:
        return view.project((x, y + up * size, z - back * size))

    if person.hair == "long":
        wide = view.half_width(0.062, 0.04) * size
        layer.tube(at(0.02, 0.025), at(-0.15, 0.05), (wide, wide * 1.08, wide * 0.8), paint)
    elif person.hair == "bob":
        wide = view.half_width(0.068, 0.05) * size
        layer.tube(at(0.02, 0.018), at(-0.05, 0.022), (wide, wide * 1.05), paint)
    elif person.hair == "ponytail":
        layer.tube(at(0.03, 0.075), at(-0.13, 0.09), (0.022 * s, 0.026 * s, 0.01 * s), paint)
    elif person.hair == "bun":
        layer.tube(at(0.06, 0.055), at(0.062, 0.056), (0.032 * s,) * 2, paint, ball=True)


def draw_head(layer: Layer, view: View, pose: Pose, person: Person) -> None:
    size = person.body.head * view.scale
    x, y = view.project(pose.head)
    wide = view.half_width(0.047, 0.056) * person.body.head
    tall = 0.066 * size
    volume = {"bald": 1.0, "short": 1.07, "curly": 1.3}.get(person.hair, 1.12)
    if person.hair != "bald" and person.hat == "none":
        lift = tall * (volume - 1) * 0.55
        _ellipsoid(layer, x, y - lift, wide * volume, tall * volume, _crown(person, volume))
    _ellipsoid(layer, x, y, wide, tall, _face(person))
    if person.hat != "none":
        _hat(layer, view, pose, person, (x, y), wide, tall)


def _ellipsoid(layer: Layer, x: float, y: float, wide: float, tall: float, paint: Paint) -> None:
    """A tube whose radii follow an ellipse; the paint's `u` runs from the crown to the chin."""
    steps = np.linspace(-1, 1, 17)
    taper = 1 - 0.1 * np.clip(steps, 0, 1)
    radii = wide * np.sqrt(np.maximum(1 - steps**2, 0)) * taper
    layer.tube(
        (x, y - tall), (x, y + tall), tuple(radii), paint, round_ends=False, halo=0.25, crease=0.04
    )


def _strands(colour: Colour) -> Paint:
    base = column(colour)
    return lambda s: base * (1 + np.float32(0.16) * np.sin(s.across * np.float32(17)))


def _crown(person: Person, volume: float) -> Paint:
    base = column(person.hair_colour)
    frequency = np.float32(26 if person.hair == "curly" else 9)

    def paint(surface: Surface) -> Plane:
        wave: Plane = np.sin(surface.across * frequency) * np.sin(surface.u * frequency)
        return base * (1 + np.float32(0.14) * wave)

    return paint


def _face(person: Person) -> Paint:
    skin, hair = column(person.skin), column(person.hair_colour)
    fringe = 0.34 if person.hair in ("bob", "long") else 0.5
    low = {"bald": 1.6, "short": -0.16, "curly": -0.14}.get(person.hair, -0.3)

    def paint(surface: Surface) -> Plane:
        up = 1 - 2 * surface.u
        slope = np.where(surface.z > 0, np.float32(fringe - low), np.float32(0.62))
        hairline = np.float32(low) + surface.z * (slope if low < 1 else np.float32(0))
        colour = _features(surface, up, skin, hair, person)
        return mix(colour, hair, step(up - hairline, 9))

    return paint


def _features(surface: Surface, up: Plane, skin: Plane, hair: Plane, person: Person) -> Plane:
    if np.cos(surface.yaw) < -0.85:
        return skin
    front, side = step(surface.z, 8), np.abs(surface.x)
    beard = step(-np.float32(0.28) - up, 7) * step(surface.z - np.float32(0.1), 5)
    colour = mix(skin, hair, beard * 0.8) if person.beard else skin
    side_eye = side - np.float32(0.38)
    dark = 1 - np.float32(0.72) * _spot(side_eye, up - np.float32(0.02), 0.17, 0.1) * front
    dark *= 1 - np.float32(0.4) * _spot(side_eye, up - np.float32(0.2), 0.24, 0.07) * front
    dark *= 1 - np.float32(0.14) * _spot(surface.x, up + np.float32(0.18), 0.1, 0.2) * front
    mouth = _spot(surface.x, up + np.float32(0.52), 0.3, 0.09) * front
    colour = mix(colour, colour * column((0.75, 0.45, 0.45)), mouth)
    return colour * (dark * _spectacles(surface, up, side, front) if person.glasses else dark)


def _spot(x: Plane, y: Plane, wide: float, tall: float) -> Plane:
    reach: Plane = np.hypot(x * np.float32(1 / wide), y * np.float32(1 / tall))
    return step(1 - reach, 3)


def _spectacles(surface: Surface, up: Plane, side: Plane, front: Plane) -> Plane:
    """How dark two rims and the arms to the ears make the face."""
    x, y = (side - np.float32(0.4)) / np.float32(0.3), (up - np.float32(0.02)) / np.float32(0.17)
    ring: Plane = np.abs(np.hypot(x, y) - np.float32(0.8))
    rims = step(np.float32(0.3) - ring, 4) * front
    arms = step(np.float32(0.05) - np.abs(up - np.float32(0.06)), 14)
    arms *= step(side - np.float32(0.62), 10) * step(surface.z + np.float32(0.2), 8)
    darkened: Plane = 1 - np.float32(0.78) * np.maximum(rims, arms)
    return darkened


def _hat(
    layer: Layer,
    view: View,
    pose: Pose,
    person: Person,
    centre: tuple[float, float],
    wide: float,
    tall: float,
) -> None:
    x, y = centre
    paint = _knit(person.hat_colour) if person.hat == "beanie" else flat(person.hat_colour)
    grow = 1.2 if person.hat == "beanie" else 1.1
    radii = tuple(wide * grow * r for r in (0.25, 0.75, 0.95, 1.03, 1.02))
    brow = y - tall * (0.22 if person.hat == "beanie" else 0.36)
    layer.tube((x, y - tall * 1.16), (x, brow), radii, paint, round_ends=False, halo=0.3)
    if person.hat == "cap":
        hx, hy, hz = pose.head
        size = person.body.head
        root = view.project((hx, hy + 0.028 * size, hz + 0.035 * size))
        tip = view.project((hx, hy + 0.018 * size, hz + 0.1 * size))
        if view.depth((0, 0, 1)) > -0.35:
            radius = view.half_width(0.036, 0.012) * size
            layer.tube(root, tip, (radius, radius * 0.8), flat(_dim(person.hat_colour, 0.8)))


def _knit(colour: Colour) -> Paint:
    base = column(colour)

    def paint(surface: Surface) -> Plane:
        ribs: Plane = 1 + np.float32(0.12) * np.sin(surface.across * np.float32(24))
        return base * ribs * (1 + 0.18 * step(surface.u - np.float32(0.74), 20))

    return paint


def _dim(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
