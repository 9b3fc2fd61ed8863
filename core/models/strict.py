"""Filling a model from tensors: everything fits, or nothing is loaded and the keys are named."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ..errors import CheckpointError

SHOWN = 8


def fill(
    model: nn.Module,
    tensors: Mapping[str, Tensor],
    where: str,
    original: Callable[[str], str] = str,
) -> None:
    """Give a model its tensors, whose names and shapes must equal its own.

    `original` turns a name of the model into the one that the user's file has for it.
    """
    wanted = model.state_dict()
    missing = sorted(map(original, set(wanted) - set(tensors)))
    unexpected = sorted(map(original, set(tensors) - set(wanted)))
    reshaped = [
        f"{original(key)} is {_shape(tensors[key])} and should be {_shape(wanted[key])}"
        for key in sorted(set(wanted) & set(tensors))
        if tensors[key].shape != wanted[key].shape
    ]
    complaints = [
        f"{title}: {listing(keys)}"
        for title, keys in [
            (f"{len(missing)} missing", missing),
            (f"{len(unexpected)} unexpected", unexpected),
            (f"{len(reshaped)} of another shape", reshaped),
        ]
        if keys
    ]
    if complaints:
        raise CheckpointError(
            f"{where} does not fit its model exactly, so nothing was loaded. "
            + "; ".join(complaints)
        )
    check_finite(tensors, where)
    # Copies: a tensor read from a file may be a view of it, or of another tensor.
    fitting = {
        key: tensors[key].to(value.dtype, copy=True).contiguous() for key, value in wanted.items()
    }
    model.load_state_dict(fitting, strict=True, assign=True)


def check_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Refuse weights that a crashed run or a damaged copy filled with NaN or infinity."""
    broken = [key for key, value in tensors.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise CheckpointError(
            f"{where} holds NaN or infinite values in {listing(broken)}; "
            "the training that wrote it diverged, so take an earlier checkpoint"
        )


def listing(keys: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f", and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + more


def _shape(tensor: Tensor) -> str:
    return "x".join(str(size) for size in tensor.shape) or "scalar"
