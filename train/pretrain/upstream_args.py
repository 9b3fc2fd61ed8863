"""iBOT's command line beside our recipe: one table, read in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .recipe import PretrainRecipe

Value = Any
Translate = Callable[[Value], Value]


@dataclass(frozen=True)
class Name:
    """An argument there and a field here; both translations fail with KeyError or TypeError."""

    argument: str
    field: str
    read: Translate
    write: Translate


def _several(value: Value) -> list[float]:
    return [float(one) for one in value] if isinstance(value, list | tuple) else [float(value)]


def _pair(value: Value) -> list[float]:
    low, high = value
    return [float(low), float(high)]


def _whole(value: Value) -> int:
    if value != int(value):
        raise TypeError(f"{value} is no whole number")
    return int(value)


def _architecture(value: Value) -> str:
    return f"{str(value).replace('deit', 'vit')}_16"


def _flag(value: Value) -> bool:
    if value not in (True, False):
        raise TypeError(f"{value} is neither true nor false")
    return bool(value)


def _same(argument: str, field: str, kind: Translate = float) -> Name:
    return Name(argument, field, kind, lambda value: value)


_NOT_SAID = (KeyError, TypeError, ValueError, OverflowError)
_SHAPES = {"block": "block", "rand": "random"}
_METHODS = {True: "personvit", False: "dino"}

NAMES = (
    Name("arch", "model.architecture", _architecture, lambda value: value.removesuffix("_16")),
    Name("use_masked_im_modeling", "method", _METHODS.__getitem__, "personvit".__eq__),
    _same("out_dim", "head.outputs", _whole),
    _same("shared_head", "head.shared", _flag),
    _same("norm_last_layer", "head.fixed_norm", _flag),
    _same("freeze_last_layer", "head.frozen_epochs"),
    _same("momentum_teacher", "teacher.momentum"),
    _same("warmup_teacher_temp", "teacher.temperature_start"),
    _same("teacher_temp", "teacher.temperature"),
    _same("warmup_teacher_patch_temp", "teacher.patch_temperature_start"),
    _same("teacher_patch_temp", "teacher.patch_temperature"),
    _same("warmup_teacher_temp_epochs", "teacher.temperature_warmup_epochs", _whole),
    Name("pred_ratio", "masks.ratio", _several, list),
    Name("pred_ratio_var", "masks.variance", _several, list),
    Name(
        "pred_shape",
        "masks.shape",
        _SHAPES.__getitem__,
        {ours: theirs for theirs, ours in _SHAPES.items()}.__getitem__,
    ),
    _same("pred_start_epoch", "masks.start_epoch", _whole),
    _same("lambda1", "loss.dino_weight"),
    _same("lambda2", "loss.mim_weight"),
    _same("lr", "optimiser.lr"),
    _same("min_lr", "optimiser.lr_floor"),
    _same("weight_decay", "optimiser.weight_decay"),
    _same("weight_decay_end", "optimiser.weight_decay_end"),
    Name("clip_grad", "optimiser.clip_norm", lambda value: float(value) or None, lambda v: v or 0),
    _same("epochs", "schedule.epochs", _whole),
    _same("warmup_epochs", "schedule.warmup_epochs"),
    _same("drop_path", "model.drop_path"),
    Name("global_crops_scale", "views.global_scale", _pair, list),
    Name("local_crops_scale", "views.local_scale", _pair, list),
    _same("local_crops_number", "views.local_count", _whole),
)

UNDERSTOOD = frozenset(
    {name.argument for name in NAMES} | {"batch_size_per_gpu", "world_size", "patch_size"}
)


def to_args(recipe: PretrainRecipe, processes: int, seed: int) -> dict[str, Value]:
    """Our recipe in iBOT's words."""
    values = recipe.to_dict()
    translated = {name.argument: name.write(_at(values, name.field)) for name in NAMES}
    return {
        **translated,
        "patch_size": recipe.model_config_of().patch,
        "patch_out_dim": recipe.head.outputs,
        "shared_head_teacher": recipe.head.shared,
        "global_crops_number": 2,
        "batch_size_per_gpu": recipe.batch.size // processes,
        "world_size": processes,
        "optimizer": "adamw",
        "seed": seed,
    }


def from_args(args: Mapping[str, Value]) -> dict[str, tuple[Value, str]]:
    """Fields of our recipe with the argument that each was read from."""
    found: dict[str, tuple[Value, str]] = {}
    for name in NAMES:
        try:
            value = name.read(args[name.argument])
        except _NOT_SAID:
            continue
        found[name.field] = (value, f"args.{name.argument}")
    try:
        size = _whole(args["batch_size_per_gpu"]) * _whole(args["world_size"])
    except _NOT_SAID:
        return found
    return {**found, "batch.size": (size, "args.batch_size_per_gpu x args.world_size")}


def _at(values: Mapping[str, Value], field: str) -> Value:
    for part in field.split("."):
        values = values[part]
    return values
