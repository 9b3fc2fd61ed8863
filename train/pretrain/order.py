"""In which order an epoch takes the images: computed place by place, never listed.

With a locality, images that lie together are taken soon after each other, so that shards and disks
are read nearly in sequence: blocks of so many consecutive images come in a random order, and the
images of MIXED such blocks are shuffled together, so that a batch is not one video. Where blocks
begin moves with every epoch, and so does what is left over at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.data.pool.permutation import Permutation
from ...core.errors import ConfigError

MIXED = 64
_BLOCKS, _INSIDE, _WHOLE, _SHIFT = range(4)

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Order:
    """A bijection from an epoch's places to the pool's indices, keyed by seed and epoch."""

    length: int
    seed: int
    locality: int = 0

    def __post_init__(self) -> None:
        if self.length < 1 or self.locality < 0:
            raise ConfigError(
                f"an order needs images and no negative locality, not {self.length} images "
                f"and locality {self.locality}"
            )

    def at(self, epoch: int, place: int) -> int:
        return int(self.many(epoch, np.array([place]))[0])

    def many(self, epoch: int, places: Places) -> Places:
        """The indices at these places of the epoch."""
        if not self.locality:
            return Permutation(self.length, (self.seed, epoch, _WHOLE))(places)
        shuffled = self._inside(epoch, np.asarray(places, dtype=np.int64))
        block, rest = np.divmod(shuffled, self.locality)
        blocks = self.length // self.locality
        whole = block < blocks  # what is left after the last whole block stays where it is
        block[whole] = Permutation(blocks, (self.seed, epoch, _BLOCKS))(block[whole])
        return (block * self.locality + rest + self._shift(epoch)) % self.length

    def _inside(self, epoch: int, places: Places) -> Places:
        window = self.locality * MIXED
        result = np.empty_like(places)
        numbers = places // window
        for number in np.unique(numbers):
            here, start = numbers == number, int(number) * window
            size = min(window, self.length - start)
            shuffle = Permutation(size, (self.seed, epoch, _INSIDE, int(number)))
            result[here] = shuffle(places[here] - start) + start
        return result

    def _shift(self, epoch: int) -> int:
        word = np.random.SeedSequence([self.seed, epoch, _SHIFT]).generate_state(1, np.uint64)
        return int(word[0] % np.uint64(self.length))
