"""The crops that travel in a bundle: golden ones, replayed at every load, and probe crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.data.synth.scene import Shot, World, render
from ..core.golden import CROPS
from ..core.images import decode
from .calibration import CalibrationSet
from .source import Source

SHOTS_EACH = 4
"""Pictures of one probe person, each by another camera: without them nobody has neighbours."""
FIRST_PROBE_PERSON = 1000
CAMERAS = 6


@dataclass(frozen=True)
class Carried:
    golden: NDArray[np.uint8]
    probe: NDArray[np.uint8] | None


def carried_crops(source: Source, calibration: CalibrationSet, probe: int) -> Carried:
    """Synthetic unless the user chose data: crops of people are personal data."""
    return Carried(_golden(source, calibration), _probe(source, probe) if probe else None)


def _golden(source: Source, calibration: CalibrationSet) -> NDArray[np.uint8]:
    if source.options.golden == "data":
        return source.crops(sorted(calibration.samples)[:CROPS])
    people = range(1, CROPS + 1)
    return _rendered(source, [Shot("", who, who, 1 + who % CAMERAS, 0) for who in people])


def _probe(source: Source, count: int) -> NDArray[np.uint8]:
    """People in several pictures, so that a crop has neighbours a device must find again."""
    if source.options.probe_crops == "synthetic":
        return _rendered(source, [_shot(index) for index in range(count)])
    train = sorted(source.dataset.train)
    order = np.random.default_rng([source.options.seed, 0x960BE]).permutation(len(train))
    return source.crops([train[index] for index in sorted(order[:count])])


def _shot(index: int) -> Shot:
    who, turn = FIRST_PROBE_PERSON + index // SHOTS_EACH, index % SHOTS_EACH
    return Shot("", who, who, 1 + (who + turn) % CAMERAS, turn)


def _rendered(source: Source, shots: list[Shot]) -> NDArray[np.uint8]:
    world = World(seed=0, domain_name="campus", height=256, width=128)
    images = (decode(render(world, shot)[0], "a rendered crop") for shot in shots)
    return np.stack([source.preprocess.resize(image) for image in images])
