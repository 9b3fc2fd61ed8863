"""What people carry: a backpack, a bag on a strap, a bag in the hand."""

from __future__ import annotations

import numpy as np

from .person import Person
from .pose import Joint, Pose, View
from .tube import Layer, Paint, Plane, Surface, column, flat, step


def bag_depth(view: View, pose: Pose, person: Person) -> float:
    """How near the bag is to the viewer, to decide what it hides."""
    if person.bag == "backpack":
        return view.depth((0.0, 0.0, -0.1))
    side = person.bag_side
    return view.depth((side * 0.14, 0.0, 0.0))


def draw_bag(layer: Layer, view: View, pose: Pose, person: Person) -> None:
    if person.bag == "backpack":
        _backpack(layer, view, pose, person)
    elif person.bag == "shoulder bag":
        _shoulder_bag(layer, view, pose, person)
    elif person.bag == "handbag":
        _handbag(layer, view, pose, person)


def _backpack(layer: Layer, view: View, pose: Pose, person: Person) -> None:
    back = -0.06 - 0.5 * person.body.girth
    top: Joint = (0.0, pose.shoulder_height - 0.005, back)
    bottom: Joint = (0.0, pose.shoulder_height - 0.225, back)
    wide = view.half_width(0.088, 0.055)
    radii = tuple(wide * r for r in (0.62, 0.9, 1.0, 1.0, 1.02, 1.0, 0.8))
    layer.tube(view.project(top), view.project(bottom), radii, _pack(person), round_ends=False)


def _pack(person: Person) -> Paint:
    base = column(person.bag_colour)

    def paint(surface: Surface) -> Plane:
        pocket = step(np.float32(0.012) - np.abs(surface.u - np.float32(0.52)), 60)
        flap = step(np.float32(0.012) - np.abs(surface.u - np.float32(0.2)), 60)
        return (
            base * (1 - 0.4 * np.maximum(pocket, flap)) * (0.94 + 0.1 * step(surface.u - 0.52, 50))
        )

    return paint


def _shoulder_bag(layer: Layer, view: View, pose: Pose, person: Person) -> None:
    x = person.bag_side * (person.body.hip + 0.045)
    top = view.project((x, pose.hip_height + 0.035, 0.0))
    bottom = view.project((x, pose.hip_height - 0.065, 0.0))
    wide = view.half_width(0.034, 0.082)
    layer.tube(top, bottom, (wide * 0.92, wide, wide * 0.96), _satchel(person), round_ends=False)


def _handbag(layer: Layer, view: View, pose: Pose, person: Person) -> None:
    arm = pose.arms[0] if pose.arms[0].side == person.bag_side else pose.arms[1]
    x, y, z = arm.end
    grip = view.project((x, y - 0.02, z))
    wide = view.half_width(0.032, 0.078)
    top = view.project((x, y - 0.085, z))
    bottom = view.project((x, y - 0.2, z))
    strap = flat(person.bag_colour)
    for offset in (-0.55, 0.55):
        layer.tube(
            grip, (top[0] + offset * wide, top[1]), (0.006 * view.scale,) * 2, strap, halo=0.0
        )
    layer.tube(top, bottom, (wide * 0.82, wide, wide * 1.04), _satchel(person), round_ends=False)


def _satchel(person: Person) -> Paint:
    base = column(person.bag_colour)

    def paint(surface: Surface) -> Plane:
        flap = step(np.float32(0.02) - np.abs(surface.u - np.float32(0.45)), 40)
        return base * (1 - 0.35 * flap)

    return paint
