"""Reading a pool's images for a run of weeks: some are bad, and none may stop it or bend it.

A bad image is replaced by the next one in the pool, which depends on the pool alone, and counted.
Above a share of bad ones the run stops: then something else is wrong than a few downloads.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from ...core.data.pool.catalogue import Pool
from ...core.errors import DataError
from ...core.images import Pixels, decode
from .recipe import PretrainRecipe

TRIED = 16
"""So many bad images in a row are no accident."""


@dataclass(frozen=True)
class SkipPolicy:
    """What is put up with."""

    share: float = 0.01
    """Of the images that were read, at most so many may be bad."""
    after: int = 1000
    """Images read before a share says anything."""
    smallest: int = 8
    """Pixels; an image that is lower or narrower is bad."""
    shown: int = 20


@dataclass(frozen=True)
class BadImages:
    """What a process has met so far: how many different images were bad, and why the first were."""

    read: int
    count: int
    reasons: tuple[str, ...]

    def as_text(self) -> str:
        if not self.count:
            return f"all of {self.read} images could be read"
        more = self.count - len(self.reasons)
        lines = [*self.reasons, *([f"and {more} more"] if more else [])]
        return f"{self.count} bad images in {self.read} reads:\n  " + "\n  ".join(lines)


class Reader:
    """Reads and decodes; any number of threads may use it."""

    def __init__(self, pool: Pool, recipe: PretrainRecipe, policy: SkipPolicy) -> None:
        self._pool = pool
        self._policy = policy
        self._needed = needed_area(recipe)
        self._lock = threading.Lock()
        self._read = 0
        self._bad: set[int] = set()
        self._reasons: list[str] = []

    @property
    def bad(self) -> BadImages:
        with self._lock:
            return BadImages(self._read, len(self._bad), tuple(self._reasons))

    def image(self, index: int) -> Pixels:
        """The pixels of this image, or of the next one that is good."""
        for further in range(min(TRIED, len(self._pool))):
            number = (index + further) % len(self._pool)
            try:
                pixels = self._decoded(number)
            except DataError as problem:
                self._count_bad(number, str(problem))
                continue
            self._count_read()
            return pixels
        raise DataError(
            f"{self._pool.where}: {TRIED} images in a row are bad, from {self._pool.key(index)} "
            f"on; the first bad ones:\n{self.bad.as_text()}"
        )

    def _decoded(self, number: int) -> Pixels:
        name = f"{self._pool.where}:{self._pool.key(number)}"
        pixels = decode(self._pool.read(number), name, self._reduction)
        height, width = pixels.shape[:2]
        if min(height, width) < self._policy.smallest:
            raise DataError(
                f"{name}: {height}x{width} is too small, less than {self._policy.smallest} pixels "
                "a side; leave such images out with a filtered list (--keep-list)"
            )
        return pixels

    def _reduction(self, width: int, height: int) -> int:
        """The largest of 1, 2, 4, 8 that leaves crops at least as large as what is made of them."""
        room = math.sqrt(width * height / self._needed)
        return 1 << min(3, max(0, int(math.log2(max(room, 1)))))

    def _count_read(self) -> None:
        with self._lock:
            self._read += 1

    def _count_bad(self, number: int, reason: str) -> None:
        with self._lock:
            self._read += 1
            if number in self._bad:
                return
            self._bad.add(number)
            if len(self._reasons) < self._policy.shown:
                self._reasons.append(reason)
            seen = min(max(self._read, self._policy.after), len(self._pool))
            too_many = len(self._bad) > self._policy.share * seen
        if too_many:
            raise TooManyBadError(
                f"{self._pool.where}: more than {100 * self._policy.share:g} % of the images are "
                "bad; mend the pool, or leave the bad ones out with a filtered list "
                "(--keep-list)\n"
                f"{self.bad.as_text()}"
            )


class TooManyBadError(DataError):
    """Not one more image is skipped."""


def needed_area(recipe: PretrainRecipe) -> float:
    """Pixels of an image whose smallest crops have just the size of the views."""
    views, low, high = recipe.views, *recipe.views.ratio
    shapes = [(recipe.input.height, recipe.input.width, views.global_scale[0])]
    if views.local_count:
        shapes.append((views.local_height, views.local_width, views.local_scale[0]))
    return max(max(height**2 * high, width**2 / low) / scale for height, width, scale in shapes)
