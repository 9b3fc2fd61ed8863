"""The teacher follows the student."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Follower:
    """Equation 3: teacher <- m teacher + (1 - m) student, in a few launches for all tensors."""

    def __init__(self, teacher: nn.Module, student: nn.Module) -> None:
        leading = dict(student.named_parameters())
        pairs = [(own, leading[name]) for name, own in teacher.named_parameters()]
        self._teacher: list[Tensor] = [own for own, _ in pairs]
        self._student: list[Tensor] = [other for _, other in pairs]

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        torch._foreach_lerp_(self._teacher, self._student, 1 - momentum)
