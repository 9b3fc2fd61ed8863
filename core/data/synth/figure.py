"""Puts a person together: body parts and garments in the order in which they hide each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .bags import bag_depth, draw_bag
from .fabric import leg, skirt, sleeve, trunk
from .head import draw_back_hair, draw_head, draw_neck, draw_scarf
from .person import Person
from .pose import Limb, Pose, View
from .tube import Layer, Light, Plane, flat

Part = tuple[float, Callable[[], None]]


def draw_person(
    height: int, width: int, view: View, pose: Pose, person: Person, light: Light, folds: Plane
) -> Plane:
    """A premultiplied RGBA picture (4, H, W) of the person alone."""
    layer = Layer(height, width, light, folds, view.yaw)
    parts = [*_legs(layer, view, pose, person), *_trunk(layer, view, pose, person)]
    parts += _arms(layer, view, pose, person)
    parts += _head(layer, view, pose, person)
    if person.bag != "none":
        key = 0.34 if bag_depth(view, pose, person) > 0 else -0.3
        parts.append((key, lambda: draw_bag(layer, view, pose, person)))
    for _, draw in sorted(parts, key=lambda part: part[0]):
        draw()
    return layer.rgba


def _legs(layer: Layer, view: View, pose: Pose, person: Person) -> list[Part]:
    parts: list[Part] = []
    for limb in pose.legs:
        key = -1.0 + 0.5 * (view.depth(limb.middle) + view.depth(limb.end))
        parts.append((key, lambda limb=limb: _leg(layer, view, limb, person)))  # type: ignore[misc]
    return parts


def _leg(layer: Layer, view: View, limb: Limb, person: Person) -> None:
    s, thick = view.scale, person.body.limb
    root, knee, ankle = (view.project(j) for j in (limb.root, limb.middle, limb.end))
    _shoe(layer, view, limb, person)
    skin = flat(person.skin)
    lower = person.lower
    thigh = (0.058 * thick * s, 0.041 * thick * s)
    shin = (0.041 * thick * s, 0.040 * thick * s, 0.026 * s)
    if lower.kind == "trousers":
        loose = lower.fit * s
        paint = leg(lower, limb.side, 0.25)
        layer.tube(
            knee, ankle, (shin[0] + loose, shin[1] + loose, shin[2] + loose + 0.006 * s), paint
        )
        layer.tube(root, knee, (thigh[0] + loose, thigh[1] + loose), paint, halo=0.0)
        return
    layer.tube(knee, ankle, shin, skin, crease=0.03)
    layer.tube(root, knee, thigh, skin, halo=0.0, crease=0.03)
    if lower.kind == "shorts":
        reach = 0.86
        end = (root[0] + reach * (knee[0] - root[0]), root[1] + reach * (knee[1] - root[1]))
        loose = 0.012 * s
        paint = leg(lower, limb.side, 0.22)
        layer.tube(root, end, (thigh[0] + loose, thigh[1] + loose * 1.5), paint, round_ends=False)


def _shoe(layer: Layer, view: View, limb: Limb, person: Person) -> None:
    s = view.scale
    x, y, z = limb.end
    drop = 0.026
    toe = 0.088
    tilt = max(y - 0.05, 0.0) * 0.8
    heel_point = view.project((x, y - drop, z - 0.018))
    toe_point = view.project((x + limb.side * 0.01, y - drop - 0.008 - tilt, z + toe))
    paint = flat(person.shoes)
    if person.boots:
        up = view.project((x, y + 0.075, z))
        layer.tube(view.project(limb.end), up, (0.031 * s, 0.036 * s), paint)
    layer.tube(
        heel_point, toe_point, (0.03 * s, 0.028 * s, 0.02 * s), paint, crease=0.05, ball=True
    )


def _trunk(layer: Layer, view: View, pose: Pose, person: Person) -> list[Part]:
    parts: list[Part] = []
    lower, body = person.lower, person.body
    hip, waist = body.hip + 0.004, body.girth + 0.012
    if lower.kind in ("trousers", "shorts"):
        paint = leg(lower, 1, 0.12)
        parts.append(
            (
                -0.5,
                lambda: _column(
                    layer,
                    view,
                    pose.hip_height + 0.07,
                    pose.hip_height - 0.035,
                    ((waist, body.girth), (hip, body.girth), (hip * 0.97, body.girth * 0.95)),
                    paint,
                    0.0,
                ),
            )
        )
    elif lower.kind == "skirt":
        paint = skirt(lower, 0.2)
        parts.append(
            (
                -0.5,
                lambda: _column(
                    layer,
                    view,
                    pose.hip_height + 0.07,
                    pose.hip_height - 0.17,
                    ((waist, body.girth), (hip, body.girth), (hip * 1.12, body.girth * 1.25)),
                    paint,
                ),
            )
        )
    parts.append((0.0, lambda: _torso(layer, view, pose, person)))
    return parts


def _torso(layer: Layer, view: View, pose: Pose, person: Person) -> None:
    body, upper = person.body, person.upper
    top, hem = pose.shoulder_height + 0.022, person.hem + (pose.hip_height - 0.515)
    loose = upper.fit
    levels = (
        (top, 0.03, 0.035),
        (top - 0.022, body.shoulder * 0.72, 0.055),
        (top - 0.045, body.shoulder * 0.97, 0.068),
        (top - 0.09, body.shoulder * 0.98, max(0.074, body.girth * 0.95)),
        (top - 0.22, max(body.girth + 0.008, body.shoulder * 0.74), body.girth),
        (pose.hip_height + 0.01, body.hip, body.girth * 1.0),
        (pose.hip_height - 0.2, body.hip * 1.16, body.girth * 1.25),
    )
    heights = np.linspace(top, hem, 15)
    known = [level[0] for level in levels][::-1]
    lateral = np.interp(heights, known, [level[1] for level in levels][::-1]) + loose
    sagittal = np.interp(heights, known, [level[2] for level in levels][::-1]) + loose
    if upper.kind == "dress":
        lateral[-6:] += np.linspace(0, 0.03, 6)
        sagittal[-6:] += np.linspace(0, 0.03, 6)
    profile = tuple(zip(lateral.tolist(), sagittal.tolist(), strict=True))
    paint = trunk(person, top - hem)
    _column(layer, view, top, hem, profile, paint)


def _column(
    layer: Layer,
    view: View,
    top: float,
    bottom: float,
    profile: tuple[tuple[float, float], ...],
    paint: Callable[..., Plane],
    halo: float = 0.28,
) -> None:
    """An upright tube with an elliptical cross-section (lateral, sagittal) at each level."""
    radii = tuple(view.half_width(lateral, sagittal) for lateral, sagittal in profile)
    start, end = view.project((0.0, top, 0.0)), view.project((0.0, bottom, 0.0))
    layer.tube(start, end, radii, paint, round_ends=False, halo=halo)


def _arms(layer: Layer, view: View, pose: Pose, person: Person) -> list[Part]:
    parts: list[Part] = []
    for limb in pose.arms:
        depth = 0.4 * view.depth(limb.root) + 0.6 * view.depth(limb.end)
        key = -0.25 + 0.1 * depth if depth < -0.035 else 0.2 + 0.1 * depth
        parts.append((key, lambda limb=limb: _arm(layer, view, limb, person)))  # type: ignore[misc]
    return parts


def _arm(layer: Layer, view: View, limb: Limb, person: Person) -> None:
    s, thick = view.scale, person.body.limb
    shoulder, elbow, wrist = (view.project(j) for j in (limb.root, limb.middle, limb.end))
    skin = flat(person.skin)
    loose = (0.003 + 0.55 * person.upper.fit) * s
    upper = (0.033 * thick * s, 0.029 * thick * s)
    fore = (0.029 * thick * s, 0.019 * s)
    paint = sleeve(person.upper)
    hand = (wrist[0] + 0.12 * (wrist[0] - elbow[0]), wrist[1] + 0.12 * (wrist[1] - elbow[1]))
    layer.tube(wrist, hand, (0.021 * s, 0.019 * s), skin, crease=0.03, ball=True)
    if person.long_sleeves:
        layer.tube(elbow, wrist, (fore[0] + loose, fore[1] + loose * 1.2), paint)
        layer.tube(shoulder, elbow, (upper[0] + loose, upper[1] + loose), paint, halo=0.25)
        return
    layer.tube(elbow, wrist, fore, skin, crease=0.03)
    layer.tube(shoulder, elbow, upper, skin, halo=0.25, crease=0.03)
    end = (
        shoulder[0] + 0.62 * (elbow[0] - shoulder[0]),
        shoulder[1] + 0.62 * (elbow[1] - shoulder[1]),
    )
    layer.tube(shoulder, end, (upper[0] + loose, upper[1] + loose * 1.9), paint, halo=0.25)


def _head(layer: Layer, view: View, pose: Pose, person: Person) -> list[Part]:
    away = float(np.cos(view.yaw)) < 0.1
    parts: list[Part] = [
        (-0.02, lambda: draw_neck(layer, view, pose, person)),
        (0.42, lambda: draw_head(layer, view, pose, person)),
        (0.45 if away else -0.4, lambda: draw_back_hair(layer, view, pose, person)),
    ]
    if person.scarf is not None:
        colour = person.scarf
        parts.append((0.36, lambda: draw_scarf(layer, view, pose, colour)))
    return parts
