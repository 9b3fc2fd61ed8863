"""What the tensors of a file tell about the model they belong to."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from ..errors import CheckpointError, ConfigError
from .config import Fusion, ModelConfig, Neck
from .convert import Converted, infer_width
from .family import Weights
from .grid import infer_grid

HEAD_WIDTH = 64
_NECK_PARTS = ("weight", "bias", "running_mean", "running_var")


def infer_config(
    converted: Converted,
    where: str,
    source_size: tuple[int, int] | None,
    fusion: Fusion | None,
) -> ModelConfig:
    """Everything that the tensors tell about the model they belong to."""
    tensors, family = converted.tensors, converted.family
    width = infer_width(Weights(where, tensors))
    if width % HEAD_WIDTH:
        raise CheckpointError(
            f"{where}: width {width} is not a multiple of {HEAD_WIDTH}, the width of one attention "
            "head in every known family, so the number of heads cannot be told"
        )
    stem = "ics" if any(key.startswith("backbone.patch_embed.conv") for key in tensors) else "patch"
    patch = _patch(tensors, stem)
    rows, columns = _grid(converted, where, patch, source_size)
    neck = _neck(converted)
    classifier, camera = tensors.get("classifier.weight"), tensors.get("backbone.sie_embed")
    multi = neck == "multi"
    try:
        return ModelConfig(
            width=width,
            depth=1 + max((_block(key) for key in tensors), default=0),
            heads=width // HEAD_WIDTH,
            height_px=rows * patch,
            width_px=columns * patch,
            patch=patch,
            stem="ics" if stem == "ics" else "patch",
            tokens=family.tokens,
            fusion=_fusion(converted, where, width, fusion) if family.tokens == "pass" else "cat",
            neck=neck,
            neck_feature=family.neck_feature,
            branch_norm=family.branch_norm and multi,
            classes=classifier.shape[0] if classifier is not None else 0,
            cameras=camera.shape[0] if camera is not None else 0,
        )
    except ConfigError as problem:
        raise CheckpointError(f"{where}: {problem}") from None


def _patch(tensors: Mapping[str, Tensor], stem: str) -> int:
    weight = tensors.get("backbone.patch_embed.proj.weight")
    if weight is None or weight.ndim != 4:
        return 16
    return weight.shape[2] * (2 if stem == "ics" else 1)


def _grid(
    converted: Converted, where: str, patch: int, source_size: tuple[int, int] | None
) -> tuple[int, int]:
    positions = converted.tensors.get("backbone.pos_embed")
    name = converted.original("backbone.pos_embed")
    if positions is None:
        raise CheckpointError(f"{where} is not whole, so nothing was loaded. 1 missing: {name}")
    if positions.ndim != 3 or positions.shape[0] != 1:
        raise CheckpointError(
            f"{where}: {name} is {'x'.join(map(str, positions.shape))}, not 1xTOKENSxWIDTH"
        )
    patches = positions.shape[1] - (0 if converted.family.tokens == "pass" else 1)
    if source_size is None:
        return infer_grid(patches, where)
    rows, columns = source_size[0] // patch, source_size[1] // patch
    if rows * columns != patches:
        raise CheckpointError(
            f"{where}: {name} describes {patches} patches, and a source size of "
            f"{source_size[0]}x{source_size[1]} has {rows * columns}; correct --source-size"
        )
    return rows, columns


def _neck(converted: Converted) -> Neck:
    if converted.family.neck == "single-or-multi":
        multi = any(re.match(r"bottleneck_[123]\.", key) for key in converted.tensors)
        return "multi" if multi else "single"
    return converted.family.neck


def _fusion(converted: Converted, where: str, width: int, told: Fusion | None) -> Fusion:
    """Where the fused feature is wide twice, it is concatenated."""
    neck = _neck(converted)
    witness = converted.tensors.get("classifier.weight")
    if witness is None and neck == "single":
        parts = (converted.tensors.get(f"bottleneck.{part}") for part in _NECK_PARTS)
        witness = next((tensor for tensor in parts if tensor is not None), None)
    if witness is None:
        if told is None and neck != "none":
            raise CheckpointError(
                f"{where}: four necks and no classifier do not show how the tokens were fused; "
                "say it with --fusion cat (UDA to Market-1501) or --fusion mean (UDA to MSMT17)"
            )
        return told or "cat"
    found: Fusion = "mean" if witness.shape[-1] == width else "cat"
    if told is not None and told != found:
        raise CheckpointError(f"{where} was trained with --fusion {found}, not {told}")
    return found


def _block(key: str) -> int:
    found = re.match(r"backbone\.blocks\.(\d+)\.", key)
    return int(found[1]) if found else 0
