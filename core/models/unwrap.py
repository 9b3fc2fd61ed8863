"""Getting from whatever a training script saved to a flat table of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch

from ..errors import CheckpointError
from .family import Weights
from .report import Dropped
from .strict import listing

Branch = Literal["teacher", "student"]

_WRAPPERS = ("model", "state_dict", "module")
_PREFIXES = ("module.", "_orig_mod.")
# Beside the weights; they may hold tensors, and none of them is part of a model.
_SIDE: tuple[str, ...] = ("optimizer", "lr_scheduler", "scheduler", "scaler", "fp16_scaler", "amp")
_SIDE += ("ibot_loss", "dino_loss", "loss", "args", "epoch", "student", "teacher")
_SIDE += ("target_encoder", "encoder", "prototypes", "opt", "model_ema", "best_mAP")


def unwrap(payload: object, where: str, branch: Branch) -> tuple[Weights, tuple[Dropped, ...]]:
    """Peel the wrappers in the order the published loaders do, and the prefixes of DDP."""
    wrappers: list[str] = []
    dropped: list[Dropped] = []
    current: object = payload
    for name in (*_WRAPPERS, _branch_name(payload, branch, where), "target_encoder"):
        if isinstance(current, Mapping) and isinstance(current.get(name), Mapping):
            dropped += _siblings(current, name, where)
            current = current[name]
            wrappers.append(name)
    if not isinstance(current, Mapping) or not current:
        raise CheckpointError(
            f"{where} holds {type(current).__name__}, not a table of tensors; "
            "save the model's state_dict"
        )
    tensors = {str(key): _tensor(str(key), value, where) for key, value in current.items()}
    return Weights(where, _without_prefixes(tensors, where), tuple(wrappers)), tuple(dropped)


def _branch_name(payload: object, branch: Branch, where: str) -> str:
    if branch == "student" and not (isinstance(payload, Mapping) and "student" in payload):
        raise CheckpointError(f"{where} holds no student; leave --branch student out")
    return branch


def _siblings(current: Mapping[str, object], chosen: str, where: str) -> list[Dropped]:
    others = [str(name) for name in current if name != chosen]
    foreign = [name for name in others if name not in _SIDE and _holds_tensors(current[name])]
    if foreign:
        raise CheckpointError(
            f"{where} holds unexpected tensors beside its {chosen}: {listing(foreign)}; "
            f"save only the {chosen}"
        )
    return [Dropped(name, f"beside the {chosen}, not weights of the model") for name in others]


def _holds_tensors(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_tensors(part) for part in value.values())
    return isinstance(value, torch.Tensor)


def _tensor(key: str, value: object, where: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise CheckpointError(
            f"{where}: {key} is of type {type(value).__name__} where a tensor belongs; "
            "this is not a state_dict of a known family"
        )
    return value.detach()


def _without_prefixes(tensors: Mapping[str, torch.Tensor], where: str) -> dict[str, torch.Tensor]:
    short: dict[str, torch.Tensor] = {}
    for key, value in tensors.items():
        name = key
        while name.startswith(_PREFIXES):
            name = name.split(".", 1)[1]
        if name in short:
            raise CheckpointError(
                f"{where} holds {name} twice, once with a prefix ({key}); keep one of them"
            )
        short[name] = value
    return short
