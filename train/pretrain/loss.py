"""What is minimised: the teacher's class tokens across views, its patches behind the masks.

Equations 4 and 7 of PersonViT as iBOT computes them. K is the number of prototypes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sharpened(logits: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """The teacher's distribution: centred against one winner, sharpened against none."""
    return ((logits - centre) / temperature).softmax(dim=-1)


def dino_loss(scores: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of every target with every other view, averaged over pairs and images.

    `scores` [views, B, K] of the student, `targets` [2, B, K] of the first two views. Each pair's
    cross-entropy is linear in the log-probabilities, so all pairs of an image are had from the
    two targets and two sums over the views.
    """
    logs = (scores / temperature).log_softmax(dim=-1)
    count, views = len(targets), len(scores)
    others = logs.sum(dim=0) - logs[:count]
    pairs = count * (views - 1)
    return -(targets * others).sum(dim=-1).mean(dim=1).sum() / pairs


def mim_loss(scores: Tensor, targets: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """Cross-entropy behind the masks: one row of K for each masked patch, and its weight."""
    logs = (scores / temperature).log_softmax(dim=-1)
    return -((targets * logs).sum(dim=-1) * weights).sum()


def patch_weights(masks: Tensor, rows: Tensor) -> Tensor:
    """So that a crop counts once, however much of it is masked. `masks` [crops, patches];
    `rows` [M] say to which crop each masked patch belongs."""
    each = 1 / masks.sum(dim=1).clamp(min=1).float()
    return each.index_select(0, rows) / len(masks)


def entropy(distributions: Tensor) -> Tensor:
    """In nats, of each row."""
    found: Tensor = torch.special.entr(distributions)
    return found.sum(dim=-1)
