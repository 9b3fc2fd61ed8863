"""One step of pre-training: teacher, student, losses, update, and the teacher's own step."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import sdpa_kernel

from ...core.errors import ConfigError
from ...core.models.config import ModelConfig
from ...core.models.vit import ReidVit, filled
from ..distributed import GradientSum, World, agree_on
from ..step import Amp, attention_kernels, half_type
from .batch import PretrainBatch
from .centre import Centres, Tally
from .ema import Follower
from .guard import Guard
from .loss import dino_loss, entropy, mim_loss, patch_weights, sharpened
from .network import PretrainNetwork
from .optimiser import build_optimiser, clip, set_rates
from .packing import Layout, class_rows
from .recipe import PretrainRecipe
from .schedules import Moment, Schedules, Settings


@dataclass(frozen=True)
class StepLosses:
    """What one step saw over all processes, still on the device so that nothing waits for it."""

    total: Tensor
    dino: Tensor
    mim: Tensor
    teacher_entropy: Tensor
    """Of the class token's target, averaged over images."""
    mean_entropy: Tensor
    """Of the average of those targets: small when all images get the same one."""
    kl: Tensor
    """From the teacher's class token to the student's."""
    feature_std: Tensor
    """Of the values of the teacher's unit-length features, over images."""
    masked: Tensor
    """The share of the patches that were masked."""
    gradient_norm: Tensor
    """Of this step's gradients, before clipping."""
    now: Settings


@dataclass(frozen=True)
class Targets:
    """What the teacher says about one batch."""

    cls: Tensor
    """[2, B, K]"""
    patches: Tensor
    """[masked patches, K]"""


class Pretrainer:
    """Holds student, teacher, centres and optimiser, and moves them by one batch."""

    def __init__(
        self,
        config: ModelConfig,
        recipe: PretrainRecipe,
        world: World,
        seed: int,
        amp: Amp = "off",
        compile: bool = False,
        activation_checkpointing: bool = False,
    ) -> None:
        self.recipe, self.world, self.schedules = recipe, world, Schedules(recipe)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            student = PretrainNetwork(config, recipe, masked=True)
        teacher = PretrainNetwork(replace(config, drop_path=0.0), recipe, masked=False)
        teacher.load_state_dict(_without_mask(student.state_dict()))
        self.student, self.teacher = student.to(world.device), teacher.to(world.device)
        self.teacher.requires_grad_(False)
        if world.shared:
            agree_on([*self.student.state_dict().values(), *self.teacher.state_dict().values()])
        self.student.checkpointing = activation_checkpointing
        if compile:
            self.student.compile()
            self.teacher.compile()
        self.optimiser = build_optimiser(self.student, recipe.optimiser)
        self.centres = Centres(recipe.head.outputs, recipe.teacher.centre_momentum, world.device)
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=amp == "fp16")
        self._half = half_type(amp, world.device)
        self._follower = Follower(self.teacher, self.student)
        self._sum = GradientSum(self.student) if world.shared else None
        self._guard = Guard()

    @property
    def drop_path_slots(self) -> int:
        return self.student.slots

    def __call__(self, micro_batches: Sequence[PretrainBatch], at: Moment) -> StepLosses:
        """Learn from one batch, whose parts are taken one after the other."""
        if not micro_batches:
            raise ConfigError("a step needs at least one batch")
        now = self.schedules.at(at)
        set_rates(self.optimiser, now)
        self.optimiser.zero_grad(set_to_none=True)
        tally = Tally(self.recipe.head.outputs, self.student.config.width, self.world)
        images = sum(len(batch) for batch in micro_batches)
        for number, batch in enumerate(micro_batches, 1):
            last = number == len(micro_batches)
            if self._sum is not None:
                self._sum.active = last
            loss = self._loss(batch, now, tally) * (len(batch) / images / self.world.size)
            if last:
                tally.send()
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return self._update(tally, now, at)

    def _loss(self, batch: PretrainBatch, now: Settings, tally: Tally) -> Tensor:
        """The mean over the images of this batch."""
        masks = batch.masks.flatten(0, 1)
        hidden = masks.nonzero() if self.recipe.masked else masks.new_empty(0, 2, dtype=torch.long)
        targets = self._teach(batch, hidden, now, tally)
        with self._arithmetic():
            crops = [batch.globals.flatten(0, 1)]
            if len(batch.locals):
                crops.append(batch.locals.flatten(0, 1))
            tokens, layout = self.student.embed(crops, masks if self.recipe.masked else None)
            keep = torch.cat([class_rows(layout, tokens.device), _patch_rows(hidden, layout)])
            features = self.student(tokens, layout, keep, batch.drop_path.flatten(0, 1))
            units = self.student.head.units(features)
        views = 2 + len(batch.locals)
        cls, patches = units.split([views * len(batch), len(hidden)])
        heat = self.recipe.loss.student_temperature
        scores = self.student.head.last_layer(cls).unflatten(0, (views, len(batch)))
        dino = dino_loss(scores, targets.cls, heat)
        mim = dino.new_zeros(())
        if self.recipe.masked:
            scores = self.student.head.last_layer2(patches)
            mim = mim_loss(scores, targets.patches, patch_weights(masks, hidden[:, 0]), heat)
        tally.add(dino=dino.detach() * len(batch), mim=mim.detach() * len(batch))
        return self.recipe.loss.dino_weight * dino + self.recipe.mim_weight * mim

    @torch.no_grad()
    def _teach(self, batch: PretrainBatch, hidden: Tensor, now: Settings, tally: Tally) -> Targets:
        """The teacher sees the whole global crops, and nothing else."""
        head = self.teacher.head
        with self._arithmetic():
            tokens, layout = self.teacher.embed([batch.globals.flatten(0, 1)])
            first = class_rows(layout, tokens.device)
            masked = _patch_rows(hidden, layout)
            everything = self.recipe.masked and self.recipe.teacher.patch_centre == "all"
            keep = torch.arange(len(tokens), device=first.device) if everything else None
            features = self.teacher(
                tokens, layout, torch.cat([first, masked]) if keep is None else keep
            )
            units = head.units(features)
        if keep is None:
            class_units, patch_units = units.split([len(first), len(masked)])
            class_features, centred = features[: len(first)], patch_units
        else:
            class_units, patch_units = units[first], units[masked]
            class_features = features[first]
            centred = units.view(layout[0].crops, layout[0].tokens, -1)[:, 1:].flatten(0, 1)
        scores = head.last_layer(class_units)
        cls = sharpened(scores, self.centres.cls, now.temperature)
        patches = sharpened(
            head.last_layer2(patch_units), self.centres.patch, now.patch_temperature
        )
        spread = torch.nn.functional.normalize(class_features.float(), dim=1)
        share = 1 / len(batch.globals)
        tally.add(
            images=len(batch),
            class_scores=scores.sum(dim=0) * share,
            entropy=entropy(cls).sum() * share,
            shares=cls.sum(dim=0) * share,
            features=spread.sum(dim=0) * share,
            squares=spread.square().sum(dim=0) * share,
            masked=batch.masks.float().mean() * len(batch),
        )
        if self.recipe.masked:
            # Scores are linear in the units, so the mean's score is the scores' mean.
            tally.add(patch_scores=head.last_layer2(centred.sum(dim=0)), patches=len(centred))
        return Targets(cls.unflatten(0, (len(batch.globals), len(batch))), patches)

    def _update(self, tally: Tally, now: Settings, at: Moment) -> StepLosses:
        if self._sum is not None:
            self._sum.finish()
        self.scaler.unscale_(self.optimiser)
        if now.frozen_last_layer:
            for parameter in self.student.head.last_parameters():
                parameter.grad = None
        gradients = [
            parameter.grad for parameter in self.student.parameters() if parameter.grad is not None
        ]
        norm = clip(gradients, self.recipe.optimiser)
        tally.arrive()
        losses = self._losses(tally, norm, now)
        bad = ~torch.isfinite(losses.total)
        if not self.scaler.is_enabled():
            bad = bad | ~torch.isfinite(norm)
            self.optimiser.found_inf = bad.float()  # type: ignore[attr-defined]
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._follower.follow(now.momentum)
        self.centres.update(tally, bad)
        self._guard.watch(at.step, bad)
        return losses

    def _losses(self, tally: Tally, norm: Tensor, now: Settings) -> StepLosses:
        dino, mim, uncertain = tally.mean("dino"), tally.mean("mim"), tally.mean("entropy")
        variance = tally.mean("squares") - tally.mean("features").square()
        weigh = self.recipe.loss
        return StepLosses(
            total=(weigh.dino_weight * dino + self.recipe.mim_weight * mim).squeeze(0),
            dino=dino.squeeze(0),
            mim=mim.squeeze(0),
            teacher_entropy=uncertain.squeeze(0),
            mean_entropy=entropy(tally.mean("shares")),
            kl=(dino - uncertain).squeeze(0),
            feature_std=variance.clamp(min=0).sqrt().mean(),
            masked=tally.mean("masked").squeeze(0),
            gradient_norm=norm,
            now=now,
        )

    def _arithmetic(self) -> Any:
        return _Arithmetic(self.world.device, self._half)

    def settle(self) -> None:
        """Raise what is still on its way; call it before a checkpoint is written."""
        self._guard.look(wait=True)

    def state(self) -> dict[str, Any]:
        """Everything that a run needs to go on bit for bit."""
        self.settle()
        return copy.deepcopy(
            {
                "student": self.student.state_dict(),
                "teacher": self.teacher.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "centres": self.centres.state(),
                "scaler": self.scaler.state_dict(),
            }
        )

    def restore(self, state: dict[str, Any]) -> None:
        self.student.load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.centres.restore(state["centres"])
        self.scaler.load_state_dict(state["scaler"])

    def teacher_model(self) -> ReidVit:
        """The teacher's backbone by itself, ready to embed; a copy, on the same device."""
        tensors = {
            f"backbone.{name}": value for name, value in self.teacher.backbone.state_dict().items()
        }
        return filled(self.teacher.config, tensors, "the teacher")


class _Arithmetic:
    """The numbers and the attention kernels that transformer and head run with."""

    def __init__(self, device: torch.device, half: torch.dtype) -> None:
        self._parts = (
            torch.autocast(device.type, half, enabled=half is not torch.float32),
            sdpa_kernel(attention_kernels(device, half)),
        )

    def __enter__(self) -> None:
        for part in self._parts:
            part.__enter__()

    def __exit__(self, *problem: Any) -> None:
        for part in reversed(self._parts):
            part.__exit__(*problem)


def _patch_rows(hidden: Tensor, layout: Layout) -> Tensor:
    """Rows of masked patches, given as [crop, patch]; global crops come first."""
    return hidden[:, 0] * layout[0].tokens + 1 + hidden[:, 1]


def _without_mask(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in tensors.items() if name != "backbone.masked_embed"}
