"""What a student learns from a teacher; docs/distill.md has each formula.

Rows are crops. The teacher's values are constants: no gradient goes to them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .recipe import Measure


def relation_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Each crop's softened likeness to the others, by KL to the teacher's; itself left out."""
    return _softened_kl(_others(_cosines(student)), _others(_cosines(teacher)), temperature)


def relation_mse(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the cosines of all pairs of different crops."""
    return functional.mse_loss(_others(_cosines(student)), _others(_cosines(teacher)))


def cross_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The student as query, the teacher as gallery: which crops lie near, as the teacher says."""
    ours, theirs = functional.normalize(student, dim=1), functional.normalize(teacher, dim=1)
    return _softened_kl(_others(ours @ theirs.T), _others(theirs @ theirs.T), temperature)


def logits_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Hinton et al. 2015: identities softened by a temperature, its square keeping the slope."""
    return temperature**2 * _softened_kl(student, teacher, temperature)


def direct(student: Tensor, teacher: Tensor, measure: Measure) -> Tensor:
    """Each student vector against its teacher's, along the last axis."""
    if measure == "mse":
        return functional.mse_loss(student, teacher)
    return (1 - functional.cosine_similarity(student, teacher, dim=-1)).mean()


def stripes(grid: Tensor, count: int) -> Tensor:
    """The mean of each horizontal stripe of a [crops, values, rows, columns] map.

    Where the rows do not divide, neighbouring stripes share the row between them.
    """
    return functional.adaptive_avg_pool2d(grid, (count, 1)).squeeze(3).transpose(1, 2)


def resampled(grid: Tensor, size: tuple[int, int]) -> Tensor:
    """A map at another number of rows and columns; shrinking averages over what it covers."""
    if tuple(grid.shape[2:]) == size:
        return grid
    return functional.interpolate(grid, size, mode="bilinear", align_corners=False, antialias=True)


def _softened_kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean over rows of KL(teacher || student)."""
    return functional.kl_div(
        (student / temperature).log_softmax(dim=1),
        (teacher / temperature).log_softmax(dim=1),
        reduction="batchmean",
        log_target=True,
    )


def _cosines(vectors: Tensor) -> Tensor:
    units = functional.normalize(vectors, dim=1)
    return units @ units.T


def _others(square: Tensor) -> Tensor:
    """A square matrix without its diagonal: [n, n - 1]."""
    count = len(square)
    off = ~torch.eye(count, dtype=torch.bool, device=square.device)
    return square[off].view(count, count - 1)
