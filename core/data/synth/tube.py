"""The one drawing primitive: a shaded tube with a changing radius, antialiased analytically.

Everything of a person is such a tube. Its surface knows which way it faces on the body, so that a
print sits on the chest and a hood on the back whatever the viewpoint is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .palette import Colour

Plane = NDArray[np.float32]
Point = tuple[float, float]


@dataclass(frozen=True)
class Light:
    """Direction towards the light in picture axes (right, down, to the viewer) and its strength."""

    direction: tuple[float, float, float]
    ambient: float
    diffuse: float


@dataclass(frozen=True)
class Surface:
    """What a paint may ask about the pixels of one tube; arrays cover the tube's box."""

    u: Plane
    """0 at the start of the axis, 1 at its end."""
    across: Plane
    """-1 at the left silhouette, 1 at the right one."""
    facing: Plane
    """1 where the surface looks at the viewer, 0 at the silhouette."""
    yaw: float

    @cached_property
    def x(self) -> Plane:
        """Towards the body's left side, -1 to 1."""
        return self.across * np.float32(np.cos(self.yaw)) - self.facing * np.float32(
            np.sin(self.yaw)
        )

    @cached_property
    def z(self) -> Plane:
        """Towards the body's front, -1 to 1."""
        return self.across * np.float32(np.sin(self.yaw)) + self.facing * np.float32(
            np.cos(self.yaw)
        )

    @cached_property
    def angle(self) -> Plane:
        """Around the body: 0 in front, pi/2 on the left side."""
        return np.arctan2(self.x, self.z)


Paint = Callable[[Surface], Plane]


def flat(colour: Colour) -> Paint:
    value = column(colour)
    return lambda surface: value


def column(colour: Colour) -> Plane:
    return np.array(colour, dtype=np.float32).reshape(3, 1, 1)


def mix(first: Plane, second: Plane, share: Plane) -> Plane:
    return first + (second - first) * share


def step(distance: Plane, sharpness: float) -> Plane:
    """0 below zero, 1 above, with a ramp one over `sharpness` wide."""
    return _unit(distance * np.float32(sharpness) + np.float32(0.5))


def _unit(values: Plane) -> Plane:
    """Clip to 0..1 in place; np.clip costs four times as much on arrays this small."""
    np.maximum(values, _ZERO, out=values)
    np.minimum(values, _ONE, out=values)
    return values


_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)


class Layer:
    """A premultiplied RGBA picture (4, H, W) that tubes are drawn on, later ones in front."""

    def __init__(self, height: int, width: int, light: Light, folds: Plane, yaw: float) -> None:
        self.rgba = np.zeros((4, height, width), dtype=np.float32)
        self.light = light
        self.yaw = yaw
        self._folds = folds

    def tube(
        self,
        start: Point,
        end: Point,
        radii: Sequence[float],
        paint: Paint,
        *,
        round_ends: bool = True,
        halo: float = 0.35,
        crease: float = 0.15,
        ball: bool = False,
    ) -> None:
        """Draw from `start` to `end` (pixels) with radii at equal steps along the way.

        `halo` darkens what lies behind, `crease` is the depth of the folds, a `ball` is shaded
        round at its ends too.
        """
        box = self._box(start, end, max(radii))
        if box is None:
            return
        top, bottom, left, right = box
        xs = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(start[0])
        ys = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(start[1])
        shape = _shape(xs, ys, (end[0] - start[0], end[1] - start[1]), radii, round_ends, ball)
        region = self.rgba[:, top:bottom, left:right]
        if halo:
            _shade_around(region, shape.gap, halo)
        surface = Surface(shape.u, shape.across, shape.facing, self.yaw)
        tone = self._tone(shape)
        if crease:
            tone *= self._folds[top:bottom, left:right] * np.float32(crease) + _ONE
        alpha = _unit(shape.gap + _HALF)
        tone *= alpha
        region *= _ONE - alpha
        region[:3] += paint(surface) * tone
        region[3] += alpha

    def _tone(self, shape: _Shape) -> Plane:
        """How light the surface is: Lambert's cosine, with some light from behind."""
        lx, ly, lz = (np.float32(value) for value in self.light.direction)
        lambert: Plane = shape.nx * lx
        lambert += shape.ny * ly
        lambert += shape.facing * lz
        np.maximum(lambert, np.float32(-0.25), out=lambert)
        lambert *= np.float32(self.light.diffuse)
        lambert += np.float32(self.light.ambient)
        return lambert

    def _box(self, start: Point, end: Point, radius: float) -> tuple[int, int, int, int] | None:
        height, width = self.rgba.shape[1:]
        reach = radius + 3.0
        top = max(int(min(start[1], end[1]) - reach), 0)
        bottom = min(int(max(start[1], end[1]) + reach) + 1, height)
        left = max(int(min(start[0], end[0]) - reach), 0)
        right = min(int(max(start[0], end[0]) + reach) + 1, width)
        return (top, bottom, left, right) if bottom > top and right > left else None


class _Shape(NamedTuple):
    """A tube's geometry at the pixels of its box."""

    gap: Plane
    """Distance to the outline, positive inside."""
    u: Plane
    across: Plane
    nx: Plane
    ny: Plane
    facing: Plane


def _shape(
    xs: Plane, ys: Plane, axis: Point, radii: Sequence[float], round_ends: bool, ball: bool
) -> _Shape:
    length = max((axis[0] ** 2 + axis[1] ** 2) ** 0.5, 1e-3)
    ax, ay = np.float32(axis[0] / length), np.float32(axis[1] / length)
    along: Plane = xs * ax + ys * ay
    u = _unit(along * np.float32(1 / length))
    radius = _profile(u, radii)
    out_x: Plane = xs - u * np.float32(axis[0])
    out_y: Plane = ys - u * np.float32(axis[1])
    gap: Plane = radius - np.sqrt(out_x * out_x + out_y * out_y)
    if not round_ends:
        np.minimum(gap, np.minimum(along, np.float32(length) - along), out=gap)
    np.maximum(radius, _HALF, out=radius)
    if ball:
        nx: Plane = out_x / radius
        ny: Plane = out_y / radius
    else:
        # The normal of an endless cylinder, or every knee would look like a ball joint.
        bend: Plane = xs * ay - ys * ax
        bend /= radius
        nx = bend * ay
        ny = bend * np.float32(-ax)
    facing: Plane = np.sqrt(np.maximum(_ONE - nx * nx - ny * ny, _ZERO))
    return _Shape(gap, u, nx * ay - ny * ax, nx, ny, facing)


_FINE = np.linspace(0, 1, 129)


def _profile(u: Plane, radii: Sequence[float]) -> Plane:
    if len(radii) == 2:
        return np.float32(radii[0]) + u * np.float32(radii[1] - radii[0])
    table = np.interp(_FINE, np.arange(len(radii)) / (len(radii) - 1), radii).astype(np.float32)
    return table[(u * np.float32(128)).astype(np.intp)]


def _shade_around(region: Plane, gap: Plane, strength: float) -> None:
    """Darken what lies just behind the tube, which tells an arm from a torso of the same colour."""
    near = _unit(gap * np.float32(0.3) + _ONE)
    near *= np.float32(-strength)
    near += _ONE
    region[:3] *= near
