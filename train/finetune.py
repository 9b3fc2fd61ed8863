"""`personvit-train finetune`: teach a model to tell the identities of a data set apart."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..core.command import LARGEST_SEED, Outcome, argument, option
from ..core.errors import ConfigError

if TYPE_CHECKING:
    from .result import FinetuneResult


@dataclass(frozen=True)
class FinetuneOptions:
    """Fine-tune a model on a labelled data set, then evaluate it.

    WEIGHTS is any file that can be loaded (ours, PersonViT, PASS, timm, ...), a short name, or an
    architecture such as vit_small_16, which starts from random numbers. SIGTERM or Ctrl-C finish
    the step, save, and exit with code 130; --resume goes on exactly there. Start it with torchrun
    to use several processes or GPUs; the batch is shared among them.

    Example: personvit-train finetune vit_micro_16 --data DATA --recipe demo -o runs/first
    """

    weights: str = argument("a weights file, a short name or an architecture")
    data: Path | None = option(None, "the data set's folder (required)")
    kind: str | None = option(None, "the data set's format, when it cannot be recognised")
    recipe: str = option("personvit", "a recipe's name or a .toml file")
    set: tuple[str, ...] = option((), "change one number of the recipe: section.key=value")
    out: Path | None = option(None, "a new folder for the model, checkpoints and logs (required)")
    resume: bool = option(False, "go on with the run in the output folder")
    evaluate: bool = option(True, "score query against gallery at the end")
    device: Literal["auto", "cpu", "cuda"] = option("auto", "where to compute")
    amp: Literal["off", "bf16", "fp16"] = option("off", "arithmetic of the backbone")
    compile: bool = option(False, "compile the blocks with torch.compile")
    seed: int = option(1234, "decides every random choice", low=0, high=LARGEST_SEED)
    workers: int = option(
        0, "threads that read and augment; 0 is one per processor", low=0, high=1024
    )
    cache_gb: float = option(4.0, "keep decoded crops in memory if they need no more", low=0)
    skip_bad: bool = option(False, "leave out crops that cannot be read, and list them")
    save_every_epochs: int = option(1, "checkpoint after so many epochs", low=1)
    save_every_steps: int = option(0, "checkpoint after so many steps too; 0 is never", low=0)
    keep: int = option(2, "how many checkpoints to keep", low=1)
    log_every: int = option(20, "write a log line after so many steps", low=1)


def finetune(options: FinetuneOptions) -> Outcome:
    """Run the recipe; returns a FinetuneResult in the process that leads."""
    from .distributed import joined
    from .result import HelperResult
    from .session import Session

    if options.data is None:
        raise ConfigError("say which data set to train on: --data FOLDER")
    if options.out is None:
        raise ConfigError("say where the run goes: -o FOLDER")
    with joined(options.device) as world:
        session = Session(options, options.out, world, options.data)
        result: FinetuneResult | None = session.run()
        return result if result is not None else HelperResult(world.rank)


def command_line() -> str:
    """The words that started this program, for the record."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
