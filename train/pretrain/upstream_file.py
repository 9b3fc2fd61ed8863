"""A pre-trained pair in the layout of iBOT's and PersonViT's files, for the published loaders.

`teacher` and `student` with the names of the published classes (the student's behind DDP's
`module.`), `ibot_loss` with both centres, `epoch`, and `args` as iBOT's command line names them.
The optimiser is left out: its groups are ours, so the published code could not go on with it.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...core.files import replacing
from .recipe import PretrainRecipe
from .step import Pretrainer
from .upstream_args import to_args

DDP = "module."


def save_upstream(path: Path, trainer: Pretrainer, epoch: int, processes: int, seed: int) -> None:
    """Write it whole or not at all."""
    recipe: PretrainRecipe = trainer.recipe
    centres = trainer.centres.state()
    payload: dict[str, Any] = {
        "student": _held(trainer.student.state_dict(), DDP),
        "teacher": _held(trainer.teacher.state_dict(), ""),
        "epoch": epoch,
        "args": Namespace(**to_args(recipe, processes, seed)),
        "ibot_loss": {
            "center": centres["cls"].cpu().view(1, -1),
            "center2": centres["patch"].cpu().view(1, 1, -1),
        },
    }
    # By path, PyTorch would write the temporary name into the file: never twice the same bytes.
    with replacing(path) as part, part.open("wb") as file:
        torch.save(payload, file)


def _held(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """In main memory; tensors that share their memory, as a shared head's, still do."""
    moved: dict[int, Tensor] = {}
    for value in state.values():
        if value.data_ptr() not in moved:
            moved[value.data_ptr()] = value.detach().cpu()
    return {f"{prefix}{name}": moved[value.data_ptr()] for name, value in state.items()}
