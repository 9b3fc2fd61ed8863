"""DINO's augmentation as its users have it: torchvision's transforms in a DataLoader, timed.

Written here after the published list of transforms, since no library ships it: Pillow decodes, each
view is cut, flipped, jittered, blurred and solarised by itself, and worker processes collate.

    python -m personvit.benchmark.pretrain_data_peer '{"folder": "/data/crops", ...}'
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Course:
    """What is timed; the sizes and shares are those of the recipe that ours runs."""

    folder: str
    batch: int
    images: int
    workers: int
    height: int
    width: int
    local_height: int
    local_width: int
    local_count: int
    global_scale: tuple[float, float]
    local_scale: tuple[float, float]
    ratio: tuple[float, float]


def run(course: Course) -> dict[str, Any]:
    """Seconds from the first batch to the last, and the processors' seconds in all."""
    import torch
    from torch.utils.data import DataLoader

    torch.manual_seed(0)
    count = course.images // course.batch * course.batch
    loader: Any = DataLoader(
        _Crops(course, count),  # type: ignore[arg-type]
        batch_size=course.batch,
        shuffle=True,
        num_workers=course.workers,
    )
    spent = _processor_seconds()
    batches = iter(loader)
    next(batches)
    began = time.perf_counter()
    for _ in batches:
        pass
    took = time.perf_counter() - began
    del batches
    return {
        "images_per_second": (count - course.batch) / took,
        "images_per_processor_second": count / (_processor_seconds() - spent),
    }


class _Crops:
    """A data set of so many images, going round the folder as often as it takes."""

    def __init__(self, course: Course, count: int) -> None:
        self._paths = sorted(str(path) for path in Path(course.folder).rglob("*.jpg"))
        self._count = count
        self._transforms = _transforms(course)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> list[Any]:
        from PIL import Image

        with Image.open(self._paths[number % len(self._paths)]) as image:
            pixels = image.convert("RGB")
        return [transform(pixels) for transform in self._transforms]


def _transforms(course: Course) -> list[Callable[[Any], Any]]:
    """One for each view."""
    t = import_module("torchvision.transforms")  # has no types of its own

    def view(size: tuple[int, int], scale: tuple[float, float], last: list[Any]) -> Any:
        cut = t.RandomResizedCrop(
            size, scale, course.ratio, interpolation=t.InterpolationMode.BICUBIC
        )
        jitter = t.RandomApply([t.ColorJitter(0.4, 0.4, 0.2, 0.1)], p=0.8)
        tail = [t.ToTensor(), t.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
        flip, grey = t.RandomHorizontalFlip(0.5), t.RandomGrayscale(0.2)
        return t.Compose([cut, flip, jitter, grey, *last, *tail])

    large, small = (course.height, course.width), (course.local_height, course.local_width)
    solarize = t.RandomSolarize(128, p=0.2)
    first = view(large, course.global_scale, [_Blur(1.0)])
    second = view(large, course.global_scale, [_Blur(0.1), solarize])
    local = view(small, course.local_scale, [_Blur(0.5)])
    return [first, second, *[local] * course.local_count]


class _Blur:
    """Pillow's Gaussian, as the published codes call it."""

    def __init__(self, chance: float) -> None:
        self._chance = chance

    def __call__(self, image: Any) -> Any:
        import random

        from PIL import ImageFilter

        if random.random() >= self._chance:  # noqa: S311
            return image
        return image.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))  # noqa: S311


def _processor_seconds() -> float:
    """Of this process and of the workers that have ended."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    words = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps(run(Course(**words))) + "\n")


if __name__ == "__main__":
    main()
