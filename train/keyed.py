"""Random numbers that depend only on what they are for: (seed, purpose, epoch, index).

No generator is carried along, so worker counts, ranks and resumed runs cannot change a draw.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """Separate streams; a number, once given, is never reused for something else."""

    BATCHES = 1
    AUGMENT = 2
    DROP_PATH = 3
    VIEWS = 16
    MASKS = 17


def generator(seed: int, purpose: Purpose, epoch: int, index: int = 0) -> np.random.Generator:
    """A counter-based generator whose stream no other key shares."""
    key = np.array([np.uint64(seed), np.uint64(int(purpose) << 48 | epoch)], dtype=np.uint64)
    counter = np.array([0, 0, 0, index], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
