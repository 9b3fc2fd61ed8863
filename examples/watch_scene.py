"""A small video of drawn people who walk through a scene, their boxes, and a gallery of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from personvit.core.data.synth.background import make_scene
from personvit.core.data.synth.figure import draw_person
from personvit.core.data.synth.pose import View, pose_at
from personvit.core.data.synth.scene import World, person_of
from personvit.core.data.synth.tube import Light

NAMES = ("Ada", "Ben", "Chloe", "Dario", "Emi", "Farid")
STRANGERS = 2
"""Walk through, and are in no gallery."""
RATE, FRAMES = 25, 150
LIGHT = Light((-0.4, -0.55, 0.73), 0.6, 0.46)


@dataclass(frozen=True)
class Demo:
    video: Path
    boxes: Path
    gallery: Path
    names: dict[int, str]
    """The truth: whose track is whose; strangers are left out."""


@dataclass(frozen=True)
class Walker:
    """Someone on a straight way; places are shares of the picture."""

    track: int
    subject: int
    start: float
    speed: float
    """Pictures' widths per second, to the right."""
    ground: float
    phase: float

    @property
    def height(self) -> float:
        """Who stands lower is nearer, and so larger."""
        return 0.3 + 0.62 * (self.ground - 0.55)

    def at(self, second: float) -> float:
        """Comes back in at the other side."""
        return (self.start + self.speed * second + 0.25) % 1.5 - 0.25


def make_demo(
    folder: Path,
    *,
    people: int = len(NAMES),
    frames: int = FRAMES,
    size: tuple[int, int] = (540, 960),
    seed: int = 7,
) -> Demo:
    """Draw everything; the same seed draws the same."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    world = World(seed, "campus", *size)
    walkers = _walkers(people + STRANGERS, seed)
    stage = Stage(world, size, seed)
    names = {walker.track: NAMES[walker.track % len(NAMES)] for walker in walkers[:people]}
    demo = Demo(folder / "walk.mp4", folder / "boxes.json", folder / "people", names)
    code = cv2.VideoWriter_fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(demo.video), code, RATE, size[::-1])
    boxes: list[dict[str, object]] = []
    for number in range(frames):
        picture, found = stage.frame(walkers, number / RATE)
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        boxes += [{"frame": number, "box": box, "track": track} for track, box in found.items()]
    writer.release()
    demo.boxes.write_text(json.dumps(boxes) + "\n")
    _enrol(stage, walkers[:people], demo)
    return demo


def _walkers(count: int, seed: int) -> list[Walker]:
    """Lanes from far to near, every other one the other way."""
    rng = np.random.default_rng(seed)
    lanes = np.linspace(0.66, 0.97, count)
    order = rng.permutation(count)
    return [_walker(track, lane, lanes, rng) for track, lane in enumerate(order)]


def _walker(track: int, lane: int, lanes: np.ndarray, rng: np.random.Generator) -> Walker:
    """Sets out near one side and walks towards the other."""
    share, right = (track + 0.5) / len(lanes), lane % 2
    pace = float(rng.uniform(0.05, 0.085)) * (0.6 + lane / len(lanes))
    start = 0.5 * share + float(rng.uniform(-0.03, 0.03))
    return Walker(
        track=track,
        subject=track + 1,
        start=start if right else 1 - start,
        speed=pace if right else -pace,
        ground=float(lanes[lane]),
        phase=float(rng.uniform(0, 2 * np.pi)),
    )


class Stage:
    """The scene that moves a little behind the people, as a camera on a pole does."""

    def __init__(self, world: World, size: tuple[int, int], seed: int) -> None:
        self.world, self.size = world, size
        self._rng = np.random.default_rng(seed)
        high, wide = size
        scene = make_scene(self._rng, "pavement", round(high / 0.75), round(wide / 1.8))
        scene = scene.resize((scene.width // 2, scene.height // 2), Image.Resampling.LANCZOS)
        self._scene = np.asarray(scene).astype(np.float32).transpose(2, 0, 1)
        self._folds = self._wrinkles(high, wide)

    def frame(
        self, walkers: Sequence[Walker], second: float
    ) -> tuple[np.ndarray, dict[int, list[float]]]:
        """One picture, and the box of everyone of whom enough is in it."""
        canvas = self._background(second)
        boxes: dict[int, list[float]] = {}
        for walker in sorted(walkers, key=lambda each: each.ground):
            x = walker.at(second) * self.size[1]
            box = self._person(canvas, walker, x, walker.ground, second)
            if box is not None:
                boxes[walker.track] = box
        noise = self._rng.normal(0, 2.0, self.size).astype(np.float32)
        return np.clip(canvas + noise, 0, 255).astype(np.uint8).transpose(1, 2, 0), boxes

    def portrait(self, walker: Walker, turn: float) -> np.ndarray:
        """The same person elsewhere on the stage, seen from another side."""
        canvas = self._background(3.0 * turn)
        middle = self.size[1] * (0.35 + 0.05 * turn)
        box = self._person(canvas, walker, middle, walker.ground, 0.37 * turn, yaw=turn)
        if box is None:
            raise ValueError(f"nobody stands at {middle}")
        x, y, wide, high = (round(value) for value in box)
        return (
            np.clip(canvas, 0, 255).astype(np.uint8).transpose(1, 2, 0)[y : y + high, x : x + wide]
        )

    def _background(self, second: float) -> np.ndarray:
        high, wide = self.size
        spare = self._scene.shape[2] - wide, self._scene.shape[1] - high
        left = round(max(spare[0], 0) * (0.5 + 0.4 * np.sin(0.5 * second)))
        top = round(max(spare[1], 0) * (0.5 + 0.3 * np.sin(0.31 * second)))
        return self._scene[:, top : top + high, left : left + wide].copy()

    def _person(
        self,
        canvas: np.ndarray,
        walker: Walker,
        x: float,
        ground: float,
        second: float,
        yaw: float | None = None,
    ) -> list[float] | None:
        tall = walker.height * self.size[0]
        high, wide = int(1.12 * tall), int(0.8 * tall)
        person = person_of(self.world, walker.subject)
        towards = (0.42 if walker.speed > 0 else -0.42) * np.pi
        pace = 2 * np.pi * abs(walker.speed) * self.size[1] / (0.8 * tall)
        pose = pose_at(person, walker.phase + pace * second, 0.85 * person.stride)
        view = View(wide / 2, 1.06 * tall, tall, float(yaw if yaw is not None else towards), 0.1)
        folds = self._folds[:high, :wide]
        sprite = draw_person(high, wide, view, pose, person, LIGHT, folds)
        left, top = round(x - wide / 2), round(ground * self.size[0] - 1.06 * tall)
        self._shade(canvas, x, ground * self.size[0], tall)
        return _composite(canvas, sprite, left, top)

    def _shade(self, canvas: np.ndarray, x: float, y: float, tall: float) -> None:
        """A soft shadow on the ground."""
        rows = (np.arange(canvas.shape[1], dtype=np.float32) - np.float32(y)) / (0.028 * tall)
        columns = (np.arange(canvas.shape[2], dtype=np.float32) - np.float32(x + 0.05 * tall)) / (
            0.17 * tall
        )
        blot = np.exp(-rows * rows)[:, None] * np.exp(-columns * columns)[None, :]
        canvas *= 1 - np.float32(0.5) * blot

    def _wrinkles(self, high: int, wide: int) -> np.ndarray:
        small = Image.fromarray(
            self._rng.normal(0, 0.7, (high // 14 + 2, wide // 14 + 2)).astype(np.float32)
        )
        return np.asarray(small.resize((wide, high), Image.Resampling.BICUBIC))


def _composite(canvas: np.ndarray, sprite: np.ndarray, left: int, top: int) -> list[float] | None:
    """Lay a sprite over the canvas; its box is where it is solid, if that is mostly inside."""
    high, wide = canvas.shape[1:]
    rows, columns = np.nonzero(sprite[3] > 0.5)
    x, y = columns.min() + left, rows.min() + top
    box = [float(x), float(y), float(np.ptp(columns) + 1), float(np.ptp(rows) + 1)]
    first, last = max(left, 0), min(left + sprite.shape[2], wide)
    upper, lower = max(top, 0), min(top + sprite.shape[1], high)
    if first < last and upper < lower:
        part = sprite[:, upper - top : lower - top, first - left : last - left]
        room = canvas[:, upper:lower, first:last]
        room *= 1 - part[3]
        room += part[:3]
    inside = min(x + box[2], wide) - max(x, 0)
    return box if inside > 0.6 * box[2] else None


def _enrol(stage: Stage, walkers: Sequence[Walker], demo: Demo) -> None:
    """Six portraits of each, turned a little further every time."""
    for walker in walkers:
        place = demo.gallery / demo.names[walker.track]
        place.mkdir(parents=True, exist_ok=True)
        towards = 1.0 if walker.speed > 0 else -1.0
        for index, turn in enumerate((0.3, 0.6, 0.9, 1.2, 1.5, 1.8)):
            Image.fromarray(stage.portrait(walker, towards * turn)).save(place / f"{index}.png")
