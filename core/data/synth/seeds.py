"""Random numbers that depend on what is drawn, never on when or by which worker."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """The first word of every key, so that no two purposes share numbers."""

    IDENTITY = 1
    CAMERA = 2
    TRACK = 3
    SHOT = 4
    SPLIT = 5
    BYSTANDER = 6
    TEXTURE = 7
    WORDS = 8


def generator(seed: int, stream: Stream, *key: int) -> np.random.Generator:
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(int(stream), *key))
    return np.random.Generator(np.random.Philox(sequence))
