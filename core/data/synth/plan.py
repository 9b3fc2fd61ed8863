"""Which pictures a data set has, under which names: Market-1501's layout and Occluded-Duke's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .scene import Shot
from .seeds import Stream, generator

TRAIN, QUERY, GALLERY = "bounding_box_train", "query", "bounding_box_test"
OCCLUDED = "occluded/Occluded_Duke"
JUNK = -1
DISTRACTOR = 0
STRANGERS = 1_000_000
"""Subjects from here on are nobody's identity: distractors."""


@dataclass(frozen=True)
class Sizes:
    identities: int
    train_identities: int
    cameras: int
    images_per_camera: int
    queries_per_camera: int
    distractors: float
    seed: int


@dataclass(frozen=True)
class Plan:
    """The pictures to draw and, for the occluded layout, the names that share a drawn picture."""

    shots: tuple[Shot, ...]
    links: tuple[tuple[str, str], ...]
    """(existing path, second path)."""


def make_plan(sizes: Sizes) -> Plan:
    training = _training_identities(sizes)
    shots: list[Shot] = []
    for identity in range(1, sizes.identities + 1):
        shots += _of_identity(sizes, identity, identity in training)
    gallery = sum(shot.path.startswith(GALLERY) for shot in shots)
    shots += _extras(sizes, training, gallery)
    return Plan(tuple(shots), tuple(_links(sizes, shots)))


def _training_identities(sizes: Sizes) -> frozenset[int]:
    order = generator(sizes.seed, Stream.SPLIT).permutation(sizes.identities) + 1
    return frozenset(int(identity) for identity in order[: sizes.train_identities])


def _of_identity(sizes: Sizes, identity: int, training: bool) -> Iterator[Shot]:
    for camera in range(1, sizes.cameras + 1):
        for index in range(sizes.images_per_camera):
            query = index < sizes.queries_per_camera
            folder = TRAIN if training else QUERY if query else GALLERY
            frame = (identity * 53) % 10_000 + 25 * index
            name = market_name(identity, camera, frame, index)
            yield Shot(f"{folder}/{name}", identity, identity, camera, index)
        if not training:
            index = sizes.images_per_camera
            frame = (identity * 53) % 10_000 + 25 * index
            name = duke_name(identity, camera, frame)
            yield Shot(f"{OCCLUDED}/query/{name}", identity, identity, camera, index, "occluded")


def _extras(sizes: Sizes, training: frozenset[int], gallery: int) -> Iterator[Shot]:
    """Distractors (other people, some empty boxes) and a few junk boxes of test identities."""
    rng = generator(sizes.seed, Stream.SPLIT, 1)
    testing = sorted(set(range(1, sizes.identities + 1)) - training)
    for number in range(round(sizes.distractors * gallery)):
        camera = int(rng.integers(1, sizes.cameras + 1))
        kind = "empty" if rng.random() < 0.25 else "plain"
        name = market_name(DISTRACTOR, camera, 10 * number + 1, number)
        yield Shot(f"{GALLERY}/{name}", DISTRACTOR, STRANGERS + number, camera, 0, kind)
    for number in range(round(sizes.distractors * gallery * 0.3)):
        subject = testing[int(rng.integers(len(testing)))]
        camera = int(rng.integers(1, sizes.cameras + 1))
        name = market_name(JUNK, camera, 10 * number + 1, number)
        index = sizes.images_per_camera + 1 + number
        yield Shot(f"{GALLERY}/{name}", JUNK, subject, camera, index, "partial")


def _links(sizes: Sizes, shots: list[Shot]) -> Iterator[tuple[str, str]]:
    """Occluded-Duke keeps the training and gallery pictures and replaces the queries.

    It knows no number 0: its distractors are people with numbers of their own.
    """
    for shot in shots:
        folder, _, name = shot.path.rpartition("/")
        if folder not in (TRAIN, GALLERY) or shot.identity == JUNK:
            continue
        identity = shot.identity or sizes.identities + 1 + shot.subject - STRANGERS
        frame = int(name.split("_")[2])
        yield shot.path, f"{OCCLUDED}/{folder}/{duke_name(identity, shot.camera, frame)}"


def market_name(identity: int, camera: int, frame: int, box: int) -> str:
    shown = f"{identity:04d}" if identity >= 0 else str(identity)
    return f"{shown}_c{camera}s{1 + frame // 2500 % 6}_{frame:06d}_{box % 100:02d}.jpg"


def duke_name(identity: int, camera: int, frame: int) -> str:
    return f"{identity:04d}_c{camera}_f{frame:07d}.jpg"
