"""Times steps of pre-training on made-up crops, without loading: what `personvit-benchmark` runs.

python -m personvit.train.pretrain.step_timer '{"recipe": "personvit-small", "batch": 16}'
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..distributed import World
from ..step import Amp
from .batch import PretrainBatch
from .masks import Masker
from .recipe import PretrainRecipe
from .recipe_files import load_recipe
from .schedules import Moment
from .step import Pretrainer
from .step_flops import step_flops

STEPS_PER_EPOCH = 1000


@dataclass(frozen=True)
class Course:
    """What is timed, as a JSON object on the command line."""

    recipe: str = "personvit-small"
    set: list[str] = field(default_factory=list)
    batch: int = 16
    parts: int = 1
    steps: int = 3
    amp: Amp = "off"
    compile: bool = False
    checkpointing: bool = False
    device: str = "cpu"


@dataclass(frozen=True)
class Gauge:
    """How a device is waited for, and how its memory is counted."""

    wait: Callable[[], None]
    memory: Callable[[], int]
    """Bytes at the most so far."""


def gauge_of(device: torch.device) -> Gauge:
    """On a GPU of what its allocator gave out; on a CPU of the whole process."""
    if device.type == "cuda":
        return Gauge(torch.cuda.synchronize, torch.cuda.max_memory_allocated)
    return Gauge(lambda: None, memory)


def run(course: Course, gauge: Gauge | None = None) -> dict[str, Any]:
    """Seconds, and seconds of all processors, of each step; the largest memory; operations."""
    gauge = gauge or gauge_of(torch.device(course.device))
    recipe = load_recipe(course.recipe, [*course.set, f"batch.size={course.batch}"])
    world = World(torch.device(course.device))
    pretrainer = Pretrainer(
        recipe.model_config_of(), recipe, world, 0, course.amp, course.compile, course.checkpointing
    )
    slots = pretrainer.drop_path_slots
    parts = [_batch(recipe, course, slots, part).to(world.device) for part in range(course.parts)]
    before = gauge.memory()
    seconds, processor = [], []
    for number in range(course.steps):
        gauge.wait()
        began, spent = time.perf_counter(), time.process_time()
        losses = pretrainer(parts, Moment(STEPS_PER_EPOCH * 2 + number, STEPS_PER_EPOCH))
        # Not for the loss alone: on a GPU the update of both networks is still under way then.
        gauge.wait()
        seconds.append(time.perf_counter() - began)
        processor.append(time.process_time() - spent)
    return {
        "seconds": seconds,
        "processor_seconds": processor,
        "bytes_before": before,
        "bytes_at_most": gauge.memory(),
        "flops": step_flops(recipe.model_config_of(), recipe, parts),
        "threads": torch.get_num_threads(),
        "loss": losses.total.item(),
    }


def memory() -> int:
    """The most that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _batch(recipe: PretrainRecipe, course: Course, slots: int, part: int) -> PretrainBatch:
    images, views, size = course.batch // course.parts, recipe.views, recipe.input
    random, masker = np.random.default_rng(part), Masker(recipe)
    torch.manual_seed(part)
    drawn = [masker.draw(random, 1 + recipe.masks.start_epoch) for _ in range(2 * images)]
    return PretrainBatch(
        torch.randn(2, images, 3, size.height, size.width),
        torch.randn(views.local_count, images, 3, views.local_height, views.local_width),
        torch.from_numpy(np.stack(drawn)).view(2, images, -1),
        torch.rand(2 + views.local_count, images, slots),
    )


def main() -> None:
    sys.stdout.write(json.dumps(run(Course(**json.loads(sys.argv[1])))) + "\n")


if __name__ == "__main__":
    main()
