"""`personvit-train pretrain`: teach a network to see people from crops that nobody labelled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...core.command import LARGEST_SEED, Outcome, argument, option
from ...core.errors import ConfigError

if TYPE_CHECKING:
    from .result import PretrainResult


@dataclass(frozen=True)
class PretrainOptions:
    """Pre-train a transformer on unlabelled crops: PersonViT's method, or DINO alone.

    POOL is a folder of images, a list of them, an LMDB with keys.pkl, or a folder of shards that
    `personvit-data shard` wrote. SIGTERM or Ctrl-C finish the step, save, and exit with code 130;
    --resume goes on exactly there. Start it with torchrun to use several processes or machines;
    a job that torchrun restarts goes on from its last checkpoint by itself.

    Example: personvit-train pretrain people/bounding_box_train --recipe demo -o runs/first
    """

    pool: Path = argument("images without labels: a folder, a list, an LMDB or shards")
    out: Path | None = option(None, "a new folder for weights, checkpoints and logs (required)")
    method: Literal["personvit", "dino"] | None = option(
        None, "masked patches and views, or views alone; the recipe's unless given"
    )
    recipe: str = option("personvit-small", "a recipe's name or a .toml file")
    set: tuple[str, ...] = option((), "change one number of the recipe: section.key=value")
    keep_list: Path | None = option(None, "use the images of this list only (.txt or .pkl)")
    kind: str | None = option(None, "the pool's format, when it cannot be recognised")
    init: str | None = option(None, "start from these weights instead of random numbers")
    resume: bool = option(False, "go on with the run in the output folder")
    device: Literal["auto", "cpu", "cuda"] = option("auto", "where to compute")
    amp: Literal["off", "bf16", "fp16"] = option("off", "arithmetic of the transformer")
    compile: bool = option(False, "compile the blocks with torch.compile")
    activation_checkpointing: bool = option(
        False, "compute each block twice instead of remembering it: slower, much less memory"
    )
    accumulate: int = option(
        0, "take a batch in so many parts; 0 is what the recipe says", low=0, high=4096
    )
    seed: int = option(1234, "decides every random choice", low=0, high=LARGEST_SEED)
    workers: int = option(
        0, "threads that read and augment; 0 is one per processor", low=0, high=1024
    )
    locality: int = option(
        0,
        "read so many consecutive images soon after each other (shards: 1000)",
        low=0,
        high=10**9,
    )
    max_bad_share: float = option(
        0.01, "stop when a larger share of the images cannot be read", low=0, high=1
    )
    save_every_steps: int = option(1000, "write a checkpoint after so many steps", low=1)
    keep: int = option(2, "how many checkpoints to keep", low=1)
    log_every: int = option(20, "write a log line after so many steps", low=1)
    probe: Path | None = option(
        None, "a labelled data set: how well the teacher finds its people, again and again"
    )
    probe_every: int = option(0, "probe after so many steps; 0 is after every epoch", low=0)
    linear_probe: bool = option(False, "probe behind the best linear map, too")


def pretrain(options: PretrainOptions) -> Outcome:
    """Run the recipe; returns a PretrainResult in the process that leads."""
    from ..distributed import joined
    from ..result import HelperResult
    from .session import PretrainSession

    if options.out is None:
        raise ConfigError("say where the run goes: -o FOLDER")
    if options.probe is None and (options.linear_probe or options.probe_every):
        raise ConfigError("say which labelled data set to probe with: --probe FOLDER")
    with joined(options.device) as world:
        session = PretrainSession(options, options.out, world)
        result: PretrainResult | None = session.run()
        return result if result is not None else HelperResult(world.rank)
