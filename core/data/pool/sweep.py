"""Going through many images of a pool in threads, in order, with few of them in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ...errors import DataError

SHOWN = 20
_AHEAD = 8
_CHUNK = 16

Thing = TypeVar("Thing")


@dataclass
class Unreadable:
    """The images that gave a DataError, and why the first of them did."""

    count: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, problem: DataError) -> None:
        self.count += 1
        if len(self.reasons) < SHOWN:
            self.reasons.append(str(problem))


@dataclass(frozen=True)
class Swept(Generic[Thing]):
    """What became of one image: its number in the pool, and a thing or a problem."""

    number: int
    thing: Thing | None = None
    problem: DataError | None = None


def sweep(
    numbers: Iterable[int], work: Callable[[int], Thing], workers: int
) -> Generator[Swept[Thing], None, None]:
    """The work done on each image, in the order of the numbers."""

    def one(number: int) -> Swept[Thing]:
        try:
            return Swept(number, work(number))
        except DataError as problem:
            return Swept(number, problem=problem)

    def chunk(part: list[int]) -> list[Swept[Thing]]:
        return [one(number) for number in part]

    waiting: deque[Future[list[Swept[Thing]]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="sweep")
    try:
        for part in _chunks(numbers):
            waiting.append(pool.submit(chunk, part))
            if len(waiting) > _AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _chunks(numbers: Iterable[int]) -> Generator[list[int], None, None]:
    part: list[int] = []
    for number in numbers:
        part.append(number)
        if len(part) == _CHUNK:
            yield part
            part = []
    if part:
        yield part
