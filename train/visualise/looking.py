"""What the last block of a transformer looks at and the patches it ends with, on the grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core.models.narrowing_block import kept_patches
from ...core.models.vit import ReidVit

Float32 = NDArray[np.float32]

LEADING = {
    "cls": ("class",),
    "cls-drop-patch": ("class",),
    "pass": ("class", "part 1", "part 2", "part 3"),
    "mean": (),
}


@dataclass(frozen=True)
class Looked:
    """Of N images with R x C patches each; NaN where a patch never reached the last block."""

    tokens: tuple[str, ...]
    """The leading tokens that the attention is of; none in a model without a class token."""
    attention: Float32
    """[N, tokens, heads, R, C]: from a token to the patches. The rest of its 1 went to tokens."""
    features: Float32
    """[N, R, C, D]: the patches after the last norm, as unit vectors."""

    @property
    def present(self) -> NDArray[np.bool_]:
        """[N, R, C]: the patches that there are."""
        return ~np.isnan(self.features[..., 0])

    def mean(self, token: int = 0) -> Float32:
        """[N, R, C]: a token's attention, mean over the heads."""
        means: Float32 = self.attention[:, token].mean(axis=1)
        return means


@torch.no_grad()
def look(model: ReidVit, images: Tensor, camera: int = 0) -> Looked:
    """One pass over normalised images; the model must be in evaluation mode."""
    entering: list[Tensor] = []
    backbone = model.backbone
    last = list(backbone.blocks.children())[-1]
    hook = last.get_submodule("attn").register_forward_pre_hook(
        lambda module, given: entering.append(given[0])
    )
    try:
        tokens = backbone(images, _cameras(model, len(images), camera, images.device))
    finally:
        hook.remove()
    leading = len(LEADING[model.config.tokens])
    shares = _shares(last.get_submodule("attn"), entering[0], leading)
    cells = _cells(model, len(images), tokens.shape[1] - leading).cpu().numpy()
    features = nn.functional.normalize(tokens[:, leading:].float(), dim=-1)
    return Looked(
        LEADING[model.config.tokens],
        _on_grid(np.moveaxis(shares.cpu().numpy(), -1, 1), cells, model.config.grid, last=True),
        _on_grid(features.cpu().numpy(), cells, model.config.grid),
    )


def _cameras(model: ReidVit, count: int, camera: int, device: torch.device) -> Tensor | None:
    if not model.config.cameras:
        return None
    return torch.full((count,), camera, device=device)


def _shares(attention: nn.Module, entering: Tensor, leading: int) -> Tensor:
    """[N, leading, heads, patches]; timm's fused attention keeps them to itself."""
    heads = attention.num_heads
    joint = attention.get_submodule("qkv")(entering).unflatten(-1, (3, heads, -1))
    query, key, _ = joint.float().permute(2, 0, 3, 1, 4).unbind(0)
    scores = query[:, :, :leading] @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    shares: Tensor = scores.softmax(-1)[..., leading:].transpose(1, 2)
    return shares


def _cells(model: ReidVit, count: int, patches: int) -> Tensor:
    """[N, patches]: the cell of the image grid that each of the last block's patches came from."""
    kept = kept_patches(model.backbone.blocks)
    if kept is None:
        kept = torch.arange(patches).expand(count, -1)
    return kept + 1 if model.config.tokens == "cls-drop-patch" else kept


def _on_grid(
    values: Float32, cells: NDArray[np.int64], grid: tuple[int, int], last: bool = False
) -> Float32:
    """Values [N, patches, ...] at their cells; with `last`, the grid becomes the last two axes."""
    shape = (len(values), grid[0] * grid[1], *values.shape[2:])
    placed = np.full(shape, np.nan, dtype=np.float32)
    placed[np.arange(len(values))[:, None], cells] = values
    if last:
        placed = np.moveaxis(placed, 1, -1)
        return placed.reshape(*placed.shape[:-1], *grid)
    return placed.reshape(len(values), *grid, *values.shape[2:])
