"""A checkpoint of our own pre-training: its backbone, as the end of the run would write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from torch import Tensor

from ..errors import CheckpointError, ConfigError
from ..preprocess import Preprocess
from .config import ModelConfig
from .native import NativeContent
from .report import Dropped
from .unwrap import Branch

DESCRIBED = "described"
"""In a checkpoint: `config`, `preprocess` and `provenance`, as in a native file's header."""
_MARKS = {"torch_random", "seconds"}
"""What every checkpoint of ours has, and no file of another project was seen to have."""
_TRUNK, _MASK = "backbone.", "backbone.masked_embed"


def is_unfinished(payload: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether this is where a run of ours stood, of any command."""
    return isinstance(payload, Mapping) and payload.keys() >= _MARKS


def read_unfinished(
    payload: Mapping[str, Any], where: str, branch: Branch
) -> tuple[NativeContent, tuple[Dropped, ...]]:
    """The teacher's backbone, or the student's, and what of the checkpoint is left out."""
    if "trainer" not in payload:
        raise CheckpointError(
            f"{where} is a checkpoint of a fine-tuning or distillation, which only --resume of "
            "that run can use; take the model.safetensors that the run ends with"
        )
    if DESCRIBED not in payload:
        raise CheckpointError(
            f"{where} was written before checkpoints said how their model is built; let "
            "--resume go on with its run, whose next checkpoint will"
        )
    try:
        described, state = payload[DESCRIBED], payload["trainer"][branch]
        content = NativeContent(
            tensors=_trunk(state),
            config=ModelConfig.from_dict(described["config"]),
            preprocess=Preprocess.from_dict(described["preprocess"]),
            provenance=_provenance(described["provenance"], branch),
        )
    except (KeyError, TypeError, AttributeError, ConfigError) as problem:
        raise CheckpointError(f"{where} is no checkpoint that can be used: {problem!r}") from None
    return content, _left_out(payload, state, branch)


def _trunk(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    trunk = {
        name: value for name, value in state.items() if name.startswith(_TRUNK) and name != _MASK
    }
    if other := [name for name, value in trunk.items() if not isinstance(value, Tensor)]:
        raise TypeError(f"{other[0]} is no tensor")
    return trunk


def _provenance(facts: Mapping[str, str], branch: Branch) -> dict[str, str]:
    found = {str(name): str(value) for name, value in facts.items()}
    return found if branch == "teacher" else {**found, "branch": branch}


def _left_out(
    payload: Mapping[str, Any], state: Mapping[str, Tensor], branch: Branch
) -> tuple[Dropped, ...]:
    heads = [name for name in state if not name.startswith(_TRUNK) or name == _MASK]
    others = [f"trainer.{name}" for name in payload["trainer"] if name != branch]
    others += [name for name in payload if name not in ("trainer", DESCRIBED)]
    return (
        *(Dropped(name, "used in pre-training only") for name in heads),
        *(Dropped(name, f"beside the {branch}, for --resume") for name in others),
    )
