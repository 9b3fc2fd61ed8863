"""One picture: a person in front of a scene, among others, behind things, seen by a camera."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from .background import crop_scene
from .bags import bag_depth
from .camera import Camera, develop, make_camera
from .domain import Domain, domain_of
from .figure import draw_person
from .occluders import KINDS, draw_occluder
from .person import Person, sample_person
from .pose import View, sample_pose
from .seeds import Stream, generator
from .tube import Light, Plane

BYSTANDERS = 14
FIRST_BYSTANDER = 2_000_000
COVERED = 0.55
"""The share of a body region that must be hidden before its attributes are not visible."""


@dataclass(frozen=True)
class World:
    """What every picture of one data set shares."""

    seed: int
    domain_name: str
    height: int
    width: int

    @property
    def domain(self) -> Domain:
        return domain_of(self.domain_name)

    @property
    def entropy(self) -> int:
        """Other people in every domain, also under the same seed."""
        return (self.seed << 32) | zlib.crc32(self.domain_name.encode())


@dataclass(frozen=True)
class Visible:
    """Which parts of the person this picture shows."""

    front: bool = True
    head: bool = True
    upper: bool = True
    lower: bool = True
    feet: bool = True
    bag: bool = True
    person: bool = True


@dataclass(frozen=True)
class Shot:
    """One picture to take. `kind` is plain, occluded, partial (a bad box) or empty (no person)."""

    path: str
    identity: int
    subject: int
    """Whose looks; differs from `identity` for distractors, who share the number 0."""
    camera: int
    index: int
    kind: str = "plain"


def render(world: World, shot: Shot) -> tuple[bytes, Visible]:
    """Draw one picture as a JPEG file; depends on nothing but the world's seed and the shot."""
    rng = generator(world.entropy, Stream.SHOT, shot.subject, shot.camera, shot.index)
    camera = camera_of(world, shot.camera)
    scene = crop_scene(
        rng, camera.scenes[int(rng.integers(len(camera.scenes)))], world.height, world.width
    )
    _bystanders(rng, world, scene)
    visible = Visible(*[False] * 7)
    if shot.kind != "empty":
        visible = _person(rng, world, shot, camera, scene)
    _illuminate(rng, scene)
    return develop(camera, rng, scene, world.domain.light_spread), visible


@lru_cache(maxsize=64)
def camera_of(world: World, number: int) -> Camera:
    return make_camera(world.entropy, number, world.domain, world.height, world.width)


@lru_cache(maxsize=256)
def person_of(world: World, subject: int) -> Person:
    return sample_person(world.entropy, subject, world.domain)


def _person(
    rng: np.random.Generator, world: World, shot: Shot, camera: Camera, scene: Plane
) -> Visible:
    person = person_of(world, shot.subject)
    view = _view(rng, world, shot, camera)
    pose = sample_pose(rng, person)
    light = _light(rng, camera.light)
    figure = draw_person(world.height, world.width, view, pose, person, light, _folds(rng, world))
    _shadow(scene, view, light)
    _over(scene, figure)
    cover = _occlude(rng, world, shot, scene)
    shown = _regions(figure[3], cover, view, world)
    return Visible(
        front=bool(np.cos(view.yaw) > 0.4),
        bag=shown["upper"] and (person.bag == "backpack" or bag_depth(view, pose, person) > -0.1),
        **shown,
    )


def _view(rng: np.random.Generator, world: World, shot: Shot, camera: Camera) -> View:
    """Heading by track, box by the detector's mood."""
    track = generator(world.entropy, Stream.TRACK, shot.subject, shot.camera)
    yaw = float(track.uniform(0, 2 * np.pi)) + float(rng.normal(0, 0.4))
    jitter, mood = world.domain.box_jitter, float(rng.random())
    scale = float(rng.uniform(0.86, 0.95))
    ground = 0.965 + float(rng.normal(0, 0.012)) * jitter
    if mood < 0.1 * jitter:
        scale, ground = float(rng.uniform(0.98, 1.1)), float(rng.uniform(1.04, 1.16))
    elif mood < 0.18 * jitter:
        scale, ground = float(rng.uniform(0.7, 0.82)), float(rng.uniform(0.86, 0.95))
    elif mood < 0.22 * jitter:
        scale, ground = float(rng.uniform(0.98, 1.06)), 0.96
    x = 0.5 + float(rng.normal(0, 0.035)) * jitter
    if shot.kind == "partial":
        x += float(rng.choice((-1, 1))) * float(rng.uniform(0.3, 0.45))
        ground += float(rng.choice((-0.4, 0.45)))
    return View(
        x=x * world.width,
        ground=ground * world.height,
        scale=min(scale * world.height, 2.1 * world.width),
        yaw=yaw % (2 * np.pi),
        pitch=camera.pitch + float(rng.normal(0, 0.03)),
    )


def _light(rng: np.random.Generator, light: Light) -> Light:
    x, y, z = light.direction
    turned = np.array([x + float(rng.normal(0, 0.15)), y, z])
    turned /= np.linalg.norm(turned)
    return Light(
        (float(turned[0]), float(turned[1]), float(turned[2])), light.ambient, light.diffuse
    )


@lru_cache(maxsize=4)
def _fold_sheet(world: World) -> Plane:
    """Wrinkles for all pictures of a data set: broad, slanted ones and a fine weave."""
    rng = generator(world.entropy, Stream.TEXTURE)
    high, wide = world.height + 96, world.width + 96
    sheet = np.zeros((high, wide), dtype=np.float32)
    scale = world.height / 256
    for cell_y, cell_x, weight in ((9, 26, 0.62), (16, 12, 0.4), (3.2, 3.2, 0.3)):
        shape = (int(high / cell_y / scale) + 4, int(wide / cell_x / scale) + 4)
        small = Image.fromarray(rng.normal(0, 1, shape).astype(np.float32))
        sheet += weight * np.asarray(small.resize((wide, high), Image.Resampling.BICUBIC))
    for row in range(high):
        sheet[row] = np.roll(sheet[row], row // 3)
    return np.clip(sheet, -1.6, 1.6)


def _folds(rng: np.random.Generator, world: World) -> Plane:
    top, left = int(rng.integers(96)), int(rng.integers(96))
    return _fold_sheet(world)[top : top + world.height, left : left + world.width]


def _over(scene: Plane, figure: Plane) -> None:
    scene *= 1 - figure[3]
    scene += figure[:3]


def _shadow(scene: Plane, view: View, light: Light) -> None:
    """A soft blot under the feet, drawn out away from the light."""
    height, width = scene.shape[1:]
    drift = -light.direction[0] * 0.16 * view.scale
    tall, wide = 0.026 * view.scale, 0.13 * view.scale + abs(drift)
    top = max(int(view.ground - 3 * tall), 0)
    if top >= height:
        return
    ys = (
        np.arange(top, height, dtype=np.float32) - np.float32(view.ground - 0.01 * view.scale)
    ) / tall
    xs = (np.arange(width, dtype=np.float32) - np.float32(view.x + drift)) / wide
    blot = np.exp(-(ys * ys))[:, None] * np.exp(-2 * xs * xs)[None, :]
    scene[:, top:] *= 1 - np.float32(0.55) * blot


def _illuminate(rng: np.random.Generator, scene: Plane) -> None:
    height, width = scene.shape[1:]
    sideways, down = (float(rng.normal(0, 0.09)) for _ in range(2))
    xs = np.linspace(-sideways, sideways, width, dtype=np.float32)
    ys = np.linspace(-down, down, height, dtype=np.float32)
    scene *= 1 + xs[None, :] + ys[:, None]


@lru_cache(maxsize=64)
def _stranger(world: World, number: int, near: bool) -> Plane:
    """A person that is never a subject, drawn once; far ones stand behind, near ones in front."""
    rng = generator(world.entropy, Stream.BYSTANDER, number, int(near))
    person = sample_person(world.entropy, FIRST_BYSTANDER + 2 * number + int(near), world.domain)
    scale = float(rng.uniform(1.0, 1.2) if near else rng.uniform(0.55, 0.9))
    ground = float(rng.uniform(1.2, 1.42) if near else rng.uniform(0.8, 0.93))
    view = View(
        0.5 * world.width,
        ground * world.height,
        scale * world.height,
        float(rng.uniform(0, 2 * np.pi)),
        0.12,
    )
    domain = world.domain
    light = Light((-0.3, -0.5, 0.81), domain.ambient, domain.diffuse)
    pose = sample_pose(rng, person)
    return draw_person(world.height, world.width, view, pose, person, light, _folds(rng, world))


def _bystanders(rng: np.random.Generator, world: World, scene: Plane) -> None:
    while rng.random() < world.domain.bystanders:
        sprite = _stranger(world, int(rng.integers(BYSTANDERS)), False)
        shift = int(rng.choice((-1, 1)) * rng.uniform(0.25, 0.6) * world.width)
        _over_shifted(scene, sprite, shift)


def _over_shifted(scene: Plane, sprite: Plane, shift: int) -> Plane:
    """Draw a sprite moved sideways; returns its alpha where it fell."""
    cover = np.zeros(scene.shape[1:], dtype=np.float32)
    source = sprite[:, :, max(-shift, 0) : scene.shape[2] - max(shift, 0)]
    place = slice(max(shift, 0), max(shift, 0) + source.shape[2])
    _over(scene[:, :, place], source)
    cover[:, place] = source[3]
    return cover


def _occlude(rng: np.random.Generator, world: World, shot: Shot, scene: Plane) -> Plane | None:
    chance = float(rng.random())
    if shot.kind != "occluded" and chance >= world.domain.occluders:
        return None
    kind = str(rng.choice(KINDS))
    if kind == "person":
        sprite = _stranger(world, int(rng.integers(BYSTANDERS)), True)
        spread = 0.3 if shot.kind == "occluded" else 0.55
        shift = int(rng.choice((-1, 1)) * rng.uniform(0.12, spread) * world.width)
        return _over_shifted(scene, sprite, shift)
    thing = draw_occluder(rng, kind, world.height, world.width)
    shift = 0 if shot.kind == "occluded" else int(rng.normal(0, 0.3) * world.width)
    shift = int(np.clip(shift, -0.8 * world.width, 0.8 * world.width))
    return _over_shifted(scene, thing, shift)


def _regions(alpha: Plane, cover: Plane | None, view: View, world: World) -> dict[str, bool]:
    """Which of head, upper body, lower body and feet are inside the box and not hidden."""
    bounds = {"head": (0.86, 1.0), "upper": (0.52, 0.82), "lower": (0.1, 0.46), "feet": (0.0, 0.06)}
    shown = {}
    for region, (low, high) in bounds.items():
        top, bottom = (int(view.ground - level * view.scale) for level in (high, low))
        inside = min(bottom, world.height) - max(top, 0)
        if inside < 0.5 * (bottom - top):
            shown[region] = False
            continue
        rows = slice(max(top, 0), min(bottom, world.height))
        mass = float(alpha[rows].sum())
        hidden = float((alpha[rows] * cover[rows]).sum()) if cover is not None else 0.0
        outside = mass < 0.04 * world.width * inside
        shown[region] = not outside and hidden < COVERED * mass
    return {**shown, "person": any(shown.values())}
