"""The crops that a probe embeds again and again: decoded once, each by one process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch import distributed as dist

from ...core.data.base import Sample
from ...core.data.crops import stream
from ...core.errors import DataError
from ...core.models.vit import ReidVit
from ...core.preprocess import Preprocess
from ..crops import Reading
from ..distributed import World

BATCH = 64

Pixels = NDArray[np.uint8]
Rows = NDArray[np.float32]
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class ProbeCrops:
    """A list of crops, of which this process holds a contiguous part.

    Parts are whole batches of the whole list, so a crop meets the same neighbours, and has the
    same embedding to the last digit, however many processes share the work.
    """

    root: Path
    listed: tuple[Sample, ...]
    bad: dict[int, str]
    """Why the crops at some places of the list cannot be read; the same in every process."""
    preprocess: Preprocess
    reading: Reading
    world: World
    kept: Pixels | None
    """The own part; None if memory does not allow, so that it is read again each time."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The crops that have an embedding."""
        return tuple(one for place, one in enumerate(self.listed) if place not in self.bad)

    def embedded(self, model: ReidVit) -> Rows:
        """The embeddings of all readable crops, in every process."""
        device = next(model.parameters()).device
        mine = [torch.empty((0, model.config.embedding), device=device)]
        for pixels in self._batches():
            images = torch.from_numpy(self.preprocess.normalise(pixels)).to(device)
            mine.append(model.embed(images).float())
        rows = self._from_all(torch.cat(mine)).cpu().numpy()
        return np.delete(rows, sorted(self.bad), axis=0)

    def _batches(self) -> Iterator[Pixels]:
        own = self._part(self.world.rank)
        for start in range(own.start, own.stop, BATCH):
            stop = min(start + BATCH, own.stop)
            if self.kept is not None:
                yield self.kept[start - own.start : stop - own.start]
            else:
                yield _read(self.root, self.listed[start:stop], self.preprocess, self.reading)[0]

    def _part(self, rank: int) -> range:
        return part(len(self.listed), rank, self.world.size)

    def _from_all(self, rows: Tensor) -> Tensor:
        if not self.world.shared:
            return rows
        sizes = [len(self._part(rank)) for rank in range(self.world.size)]
        padded = rows.new_zeros((max(sizes), rows.shape[1]))
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([each[:size] for each, size in zip(parts, sizes, strict=True)])


def part(length: int, rank: int, size: int) -> range:
    """The contiguous part of one process: whole batches, shared as evenly as they go."""
    batches = -(-length // BATCH)
    first, last = batches * rank // size, batches * (rank + 1) // size
    return range(min(first * BATCH, length), min(last * BATCH, length))


def open_crops(
    root: Path,
    samples: tuple[Sample, ...],
    preprocess: Preprocess,
    reading: Reading,
    world: World,
) -> ProbeCrops:
    """Read every crop once: to keep it, and so that the processes agree about the bad ones."""
    own = part(len(samples), world.rank, world.size)
    keep = len(own) * preprocess.height * preprocess.width * 3 <= reading.cache_bytes
    pixels, reasons = _read(root, samples[own.start : own.stop], preprocess, reading, keep)
    shares = _of_all({own.start + place: why for place, why in reasons.items()}, world)
    bad = {place: why for share in shares for place, why in share.items()}
    if bad and not reading.skip_bad:
        raise DataError(
            f"{len(bad)} of the {len(samples)} crops of the probe cannot be read, the first is "
            f"{bad[min(bad)]}. Mend or remove them; `personvit-data check` names them all"
        )
    return ProbeCrops(root, samples, bad, preprocess, reading, world, pixels if keep else None)


def _read(
    root: Path,
    samples: tuple[Sample, ...],
    preprocess: Preprocess,
    reading: Reading,
    keep: bool = True,
) -> tuple[Pixels, dict[int, str]]:
    """The crops in their places, and black ones where there is something wrong."""
    shape = (len(samples) if keep else 0, preprocess.height, preprocess.width, 3)
    pixels = np.zeros(shape, dtype=np.uint8)
    crops = stream(root, samples, preprocess, BATCH, reading.workers, skip_bad=True)
    good: set[int] = set()
    for indices, batch in crops:
        good.update(indices.tolist())
        if keep:
            pixels[indices] = batch
    missing = (place for place in range(len(samples)) if place not in good)
    return pixels, {place: one.reason for place, one in zip(missing, crops.bad, strict=True)}


def _of_all(mine: Thing, world: World) -> list[Thing]:
    if not world.shared:
        return [mine]
    found = [mine] * world.size
    dist.all_gather_object(found, mine)
    return found
