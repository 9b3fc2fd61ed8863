"""`personvit-train distill`: teach a light model to answer as a heavy one does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...core.command import LARGEST_SEED, Outcome, argument, option
from ...core.errors import ConfigError

if TYPE_CHECKING:
    from .result import DistillResult


@dataclass(frozen=True)
class DistillOptions:
    """Distil a teacher into a student on crops with or without labels, then evaluate both.

    TEACHER is any file that can be loaded (ours, PersonViT, PASS, ...) or a short name. STUDENT is
    a name from `personvit-train models`, or a weights file to go on from. Losses are weights of the
    recipe's [teach] section. With --in-teacher-space the student ends in a projection into the
    teacher's space, and its queries may search the teacher's gallery. SIGTERM, Ctrl-C, --resume
    and torchrun work as in `finetune`.

    Example: personvit-train distill teacher.safetensors vit-tiny --data DATA -o runs/student
    """

    teacher: str = argument("a weights file or a short name")
    student: str = argument("a student's name, or a weights file")
    data: Path | None = option(None, "the data set's folder, labelled or not (required)")
    kind: str | None = option(None, "the data set's format, when it cannot be recognised")
    initial: str | None = option(None, "weights that the student starts from")
    recipe: str = option("distill", "a recipe's name or a .toml file")
    set: tuple[str, ...] = option((), "change one number of the recipe: section.key=value")
    in_teacher_space: bool = option(False, "the student answers in the teacher's space")
    token_schedule: str = option("", "patches kept after some blocks, such as 4:96,8:64")
    int8: bool = option(False, "go on with a trained student as INT8 computes; docs/distill.md")
    out: Path | None = option(None, "a new folder for the model, checkpoints and logs (required)")
    resume: bool = option(False, "go on with the run in the output folder")
    evaluate: bool = option(True, "score query against gallery, student and teacher")
    device: Literal["auto", "cpu", "cuda"] = option("auto", "where to compute")
    amp: Literal["off", "bf16", "fp16"] = option("off", "arithmetic of the student's backbone")
    teacher_amp: Literal["off", "bf16", "fp16"] = option("off", "arithmetic of the teacher")
    compile: bool = option(False, "compile the blocks of both with torch.compile")
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


def distill(options: DistillOptions) -> Outcome:
    """Run the recipe; returns a DistillResult in the process that leads."""
    from ..distributed import joined
    from ..result import HelperResult
    from .session import DistillSession

    if options.data is None:
        raise ConfigError("say which crops to distil on: --data FOLDER")
    if options.out is None:
        raise ConfigError("say where the run goes: -o FOLDER")
    with joined(options.device) as world:
        session = DistillSession(options, options.out, world, options.data)
        result: DistillResult | None = session.run()
        return result if result is not None else HelperResult(world.rank)
