"""The student's crops as its teacher is used to them: another normalisation, order or size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.preprocess import Preprocess
from .losses import resampled


@dataclass(frozen=True)
class Bridge:
    """Works on a batch on its device, so both see the same flips, shifts and erased rectangles."""

    student: Preprocess
    teacher: Preprocess

    def __call__(self, images: Tensor) -> Tensor:
        if self._same_values:
            return resampled(images, (self.teacher.height, self.teacher.width))
        factor, shift = self._map(images.device)
        if self.student.colour != self.teacher.colour:
            images = images.flip(1)
        return resampled(images * factor + shift, (self.teacher.height, self.teacher.width))

    @property
    def _same_values(self) -> bool:
        def facts(one: Preprocess) -> tuple[object, ...]:
            return one.mean, one.std, one.colour

        return facts(self.student) == facts(self.teacher)

    def _map(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Undo the student's mean and spread, apply the teacher's, in the teacher's order."""
        ours = torch.tensor([self.student.mean, self.student.std], device=device).view(2, 3, 1, 1)
        theirs = torch.tensor([self.teacher.mean, self.teacher.std], device=device)
        theirs = theirs.view(2, 3, 1, 1)
        if self.student.colour != self.teacher.colour:
            ours = ours.flip(1)
        return ours[1] / theirs[1], (ours[0] - theirs[0]) / theirs[1]
