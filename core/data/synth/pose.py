"""Poses: a walking figure in body axes and its projection into the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .person import Person

Joint = tuple[float, float, float]


@dataclass(frozen=True)
class View:
    """An orthographic camera: where the feet stand, the height, the heading and the tilt."""

    x: float
    ground: float
    scale: float
    yaw: float
    """0 looks at the viewer, pi/2 walks to the right, pi shows the back."""
    pitch: float

    def project(self, joint: Joint) -> tuple[float, float]:
        x, y, z = joint
        depth = self.depth(joint)
        right = x * np.cos(self.yaw) + z * np.sin(self.yaw)
        down = depth * np.sin(self.pitch) - y * np.cos(self.pitch)
        return self.x + self.scale * float(right), self.ground + self.scale * float(down)

    def depth(self, joint: Joint) -> float:
        """Towards the viewer."""
        return float(joint[2] * np.cos(self.yaw) - joint[0] * np.sin(self.yaw))

    def half_width(self, lateral: float, sagittal: float) -> float:
        """The silhouette of an elliptical cross-section, in pixels."""
        return self.scale * float(np.hypot(lateral * np.cos(self.yaw), sagittal * np.sin(self.yaw)))


@dataclass(frozen=True)
class Limb:
    """Three joints from the trunk outwards."""

    root: Joint
    middle: Joint
    end: Joint
    side: int


@dataclass(frozen=True)
class Pose:
    legs: tuple[Limb, Limb]
    arms: tuple[Limb, Limb]
    neck: Joint
    head: Joint
    hip_height: float
    shoulder_height: float
    nod: float


def sample_pose(rng: np.random.Generator, person: Person) -> Pose:
    """A moment of walking or standing, with one arm sometimes busy."""
    phase = float(rng.uniform(0, 2 * np.pi))
    stride = person.stride * (0.12 if rng.random() < 0.2 else float(rng.uniform(0.6, 1.1)))
    busy = int(rng.choice((-1, 1))) if rng.random() < 0.2 else 0
    if person.bag == "handbag" and busy == person.bag_side:
        busy = 0
    return pose_at(person, phase, stride, busy=busy, nod=float(rng.normal(0, 0.25)))


def pose_at(
    person: Person, phase: float, stride: float, *, busy: int = 0, nod: float = 0.0
) -> Pose:
    """One moment of a step: `phase` runs from 0 to 2 pi, `busy` is the side of a raised arm."""
    body = person.body
    hip = 0.515 * body.legs
    shoulder = 0.815 + 0.3 * (hip - 0.515)
    legs = tuple(_leg(side, phase, stride, hip, person) for side in (-1, 1))
    arms = tuple(_arm(side, phase, stride, shoulder, person, side == busy) for side in (-1, 1))
    lean = 0.012 * stride
    return Pose(
        legs=(legs[0], legs[1]),
        arms=(arms[0], arms[1]),
        neck=(0.0, shoulder + 0.02, lean),
        head=(0.0, shoulder + 0.02 + 0.085 * body.head, lean + 0.018),
        hip_height=hip,
        shoulder_height=shoulder,
        nod=nod,
    )


def _leg(side: int, phase: float, stride: float, hip: float, person: Person) -> Limb:
    swing = np.sin(phase + (0 if side < 0 else np.pi))
    lift = max(float(np.cos(phase + (0 if side < 0 else np.pi))), 0.0)
    thigh = 0.46 * stride * swing + 0.1 * stride * lift
    shin = thigh - (0.12 + 0.75 * lift * stride + 0.1 * (swing < 0)) * min(stride, 1.0)
    upper, lower = 0.47 * hip, 0.455 * hip
    x = side * 0.47 * person.body.hip
    root = (x, hip, 0.0)
    knee = (x * 1.06, hip - upper * float(np.cos(thigh)), upper * float(np.sin(thigh)))
    ankle = (
        x * 0.95,
        knee[1] - lower * float(np.cos(shin)),
        knee[2] + lower * float(np.sin(shin)),
    )
    return Limb(root, knee, ankle, side)


def _arm(
    side: int, phase: float, stride: float, shoulder: float, person: Person, busy: bool
) -> Limb:
    swing = -np.sin(phase + (0 if side < 0 else np.pi)) * stride
    upper, lower = 0.16, 0.148
    out = 0.16 + 0.5 * max(person.body.girth - 0.08, 0.0) + 0.5 * person.upper.fit
    if person.bag == "handbag" and side == person.bag_side:
        swing *= 0.25
    angle = 0.42 * swing
    bend = 0.25 + 0.25 * max(swing, 0)
    if busy:
        angle, bend = 0.25, 1.9
    x = side * (person.body.shoulder - 0.02)
    root = (x, shoulder - 0.036, 0.0)
    elbow = (
        x + side * upper * out,
        root[1] - upper * float(np.cos(angle)),
        upper * float(np.sin(angle)),
    )
    turn = angle + bend
    hand = (
        elbow[0] - side * (0.04 if busy else 0.005),
        elbow[1] - lower * float(np.cos(turn)),
        elbow[2] + lower * float(np.sin(turn)),
    )
    return Limb(root, elbow, hand, side)
