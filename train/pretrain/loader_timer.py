"""Times the loader alone, without a network: what `personvit-benchmark pretrain-data` runs.

python -m personvit.train.pretrain.loader_timer '{"pool": "/data/crops", "images": 640}'
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from ...core.data.pool import Pool, open_pool
from ..distributed import World
from .loader import PretrainLoader
from .recipe_files import load_recipe


@dataclass(frozen=True)
class Course:
    """What is timed, as a JSON object on the command line."""

    pool: str
    recipe: str = "personvit-small"
    set: list[str] = field(default_factory=list)
    batch: int = 16
    images: int = 640
    workers: int = 2
    slots: int = 24
    device: str = "cpu"
    on_device: bool = False
    """Whether the views are made in batch on the device, be it a processor."""


def run(course: Course) -> dict[str, Any]:
    """Seconds from the first batch to the last, and the processors' seconds in all."""
    with closing(open_pool(Path(course.pool))) as pool:
        batches = course.images // course.batch
        loader = _loader(course, pool, batches)
        spent = time.process_time()
        steps = islice(loader.from_step(0), batches)
        next(steps)
        began = time.perf_counter()
        for _ in steps:
            pass
        if course.device == "cuda":
            torch.cuda.synchronize()
        last = time.perf_counter()
        spent = time.process_time() - spent
    images = batches * course.batch
    return {
        "images_per_second": (images - course.batch) / (last - began),
        "images_per_processor_second": images / spent,
        "bad": loader.bad,
    }


def _loader(course: Course, pool: Pool, batches: int) -> PretrainLoader:
    """With as many epochs as make so many batches."""
    epochs = -(-batches // max(1, len(pool) // course.batch))
    changes = [f"batch.size={course.batch}", f"schedule.epochs={epochs}", "batch.accumulate=1"]
    changes += [f"schedule.warmup_epochs={min(epochs, 1)}"]
    recipe = load_recipe(course.recipe, [*course.set, *changes])
    return PretrainLoader(
        pool,
        recipe,
        World(torch.device(course.device)),
        course.slots,
        0,
        course.workers,
        on_device=course.on_device,
    )


def main() -> None:
    sys.stdout.write(json.dumps(run(Course(**json.loads(sys.argv[1])))) + "\n")


if __name__ == "__main__":
    main()
