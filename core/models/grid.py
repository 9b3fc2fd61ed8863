"""Position embeddings: which grid they describe, and how they move to another one."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..errors import CheckpointError

Grid = tuple[int, int]

# 256x128, 384x128, 224x224 and 384x384 pixels in patches of 16: what has been published.
PUBLISHED: tuple[Grid, ...] = ((16, 8), (24, 8), (14, 14), (24, 24))
_TALLEST = 3.0


def infer_grid(patches: int, where: str) -> Grid:
    """The rows and columns behind a number of patches, when only one answer is sensible."""
    published = [grid for grid in PUBLISHED if grid[0] * grid[1] == patches]
    candidates = published or upright_grids(patches)
    # Beyond the published sizes, only what the published loaders can be told: a whole ratio.
    if len(candidates) == 1 and candidates[0][0] % candidates[0][1] == 0:
        return candidates[0]
    shown = " or ".join(f"{rows}x{columns}" for rows, columns in candidates)
    if not candidates:
        raise CheckpointError(
            f"{where}: pos_embed describes {patches} patches, which is no upright grid; the tensor "
            "is damaged, or counts other tokens than this layout has"
        )
    raise CheckpointError(
        f"{where}: pos_embed describes {patches} patches, which may be {shown}; "
        "say which with --source-size HEIGHTxWIDTH, the image size it was trained at"
    )


def upright_grids(patches: int) -> list[Grid]:
    """Every grid as tall as wide, up to three times as tall, that has so many cells."""
    pairs = [(patches // columns, columns) for columns in range(1, patches + 1)]
    return [
        (rows, columns)
        for rows, columns in pairs
        if rows * columns == patches and columns <= rows <= _TALLEST * columns
    ]


def resample(
    positions: Tensor, leading: int, old: Grid, new: Grid, mode: str = "bilinear"
) -> Tensor:
    """Stretch the patch part, bilinearly as the published fine-tuning does; keep the rest."""
    first, cells = positions[:, :leading], positions[:, leading:]
    image = cells.reshape(1, *old, -1).permute(0, 3, 1, 2)
    stretched = interpolate(image, size=new, mode=mode, align_corners=False)
    return torch.cat([first, stretched.flatten(2).transpose(1, 2)], dim=1)
