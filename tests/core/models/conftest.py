"""Randomly filled files in the official layouts, written out from their descriptions alone."""

from __future__ import annotations

import argparse
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

State = "OrderedDict[str, torch.Tensor]"
WIDTH, DEPTH, CLASSES = 64, 2, 5
UPRIGHT, SQUARE = 128, 196


class Filler:
    """Random tensors of one seed; running variances stay positive."""

    def __init__(self, seed: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self._generator) * 0.1

    def norm(self, name: str, width: int) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": 1 + self(width), f"{name}.bias": self(width)}

    def batch_norm(self, name: str, width: int) -> dict[str, torch.Tensor]:
        return {
            **self.norm(name, width),
            f"{name}.running_mean": self(width),
            f"{name}.running_var": 1 + self(width).abs(),
            f"{name}.num_batches_tracked": torch.tensor(7),
        }

    def linear(self, name: str, outputs: int, inputs: int) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": self(outputs, inputs), f"{name}.bias": self(outputs)}


def backbone(
    fill: Filler, width: int, depth: int, positions: int, ics: bool = False, parts: bool = False
) -> dict[str, torch.Tensor]:
    """A backbone's tensors under bare names, as every family of the lineage has them."""
    state = {"cls_token": fill(1, 1, width), "pos_embed": fill(1, positions, width)}
    if parts:
        for part in (1, 2, 3):
            state[f"part_token{part}"] = fill(1, 1, width)
            state[f"part{part}_pos"] = fill(1, 1, width)
        state["cls_pos"] = fill(1, 1, width)
    state |= ics_stem(fill, width) if ics else {"patch_embed.proj.weight": fill(width, 3, 16, 16)}
    state["patch_embed.proj.bias"] = fill(width)
    for block in range(depth):
        name = f"blocks.{block}"
        state |= fill.norm(f"{name}.norm1", width)
        state |= fill.linear(f"{name}.attn.qkv", 3 * width, width)
        state |= fill.linear(f"{name}.attn.proj", width, width)
        state |= fill.norm(f"{name}.norm2", width)
        state |= fill.linear(f"{name}.mlp.fc1", 4 * width, width)
        state |= fill.linear(f"{name}.mlp.fc2", width, 4 * width)
    return state | fill.norm("norm", width)


def ics_stem(fill: Filler, width: int) -> dict[str, torch.Tensor]:
    state = {"patch_embed.conv.0.weight": fill(64, 3, 7, 7)}
    for split in (1, 4):
        state |= fill.norm(f"patch_embed.conv.{split}.IN", 32)
        state |= fill.batch_norm(f"patch_embed.conv.{split}.BN", 32)
    for convolution in (3, 6):
        state[f"patch_embed.conv.{convolution}.weight"] = fill(64, 64, 3, 3)
    state |= fill.batch_norm("patch_embed.conv.7", 64)
    return state | {"patch_embed.proj.weight": fill(width, 64, 8, 8)}


def projection(fill: Filler, width: int, mlp: str, *last: str) -> dict[str, torch.Tensor]:
    state = {}
    for layer, (outputs, inputs) in {0: (48, width), 2: (48, 48), 4: (16, 48)}.items():
        state |= fill.linear(f"{mlp}.{layer}", outputs, inputs)
    for name in last:
        state |= {f"{name}.weight_g": fill(24, 1), f"{name}.weight_v": fill(24, 16)}
    return state


def prefixed(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + key: value for key, value in state.items()}


def pre_training_file(
    teacher: dict[str, torch.Tensor], student_only: dict[str, torch.Tensor], loss: str
) -> dict[str, Any]:
    """What a self-supervised run saves: two networks, an optimiser, and argparse's settings."""
    student = prefixed("module.", {key: value + 1 for key, value in teacher.items()} | student_only)
    return {
        "student": student,
        "teacher": teacher,
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-3}]},
        "epoch": 220,
        "args": argparse.Namespace(lr=np.float64(5e-4), pred_ratio=[0, 0.3], arch="vit_small"),
        loss: {"center": torch.zeros(1, 24)},
    }


def personvit_finetuned(fill: Filler, width: int, depth: int) -> dict[str, Any]:
    return OrderedDict(
        prefixed("base.", backbone(fill, width, depth, UPRIGHT + 1))
        | fill.linear("base.fc", 1000, width)
        | fill.batch_norm("bottleneck", width)
        | {"classifier.weight": fill(CLASSES, width)}
    )


def personvit_pretrained(fill: Filler, width: int, depth: int) -> dict[str, Any]:
    return _ibot(fill, width, depth, UPRIGHT)


def ibot(fill: Filler, width: int, depth: int) -> dict[str, Any]:
    return _ibot(fill, width, depth, SQUARE)


def _ibot(fill: Filler, width: int, depth: int, patches: int) -> dict[str, Any]:
    teacher = prefixed("backbone.", backbone(fill, width, depth, patches + 1))
    teacher |= projection(fill, width, "head.mlp", "head.last_layer", "head.last_layer2")
    return pre_training_file(teacher, {"backbone.masked_embed": fill(1, width)}, "ibot_loss")


def dino(fill: Filler, width: int, depth: int) -> dict[str, Any]:
    teacher = prefixed("backbone.", backbone(fill, width, depth, SQUARE + 1))
    teacher |= projection(fill, width, "head.mlp", "head.last_layer")
    return pre_training_file(teacher, {}, "dino_loss")


def msn(fill: Filler, width: int, depth: int) -> dict[str, Any]:
    encoder = backbone(fill, width, depth, SQUARE + 1)
    encoder |= fill.linear("fc.fc1", 48, width) | fill.batch_norm("fc.bn1", 48)
    encoder |= fill.linear("fc.fc2", 48, 48) | fill.batch_norm("fc.bn2", 48)
    encoder |= fill.linear("fc.fc3", 16, 48)
    return {
        "target_encoder": prefixed("module.", encoder),
        "encoder": prefixed("module.", {key: value + 1 for key, value in encoder.items()}),
        "prototypes": torch.zeros(4, 16),
        "epoch": 300,
    }


def transreid_ssl_pretrained(fill: Filler, width: int, depth: int) -> dict[str, Any]:
    teacher = prefixed("backbone.", backbone(fill, width, depth, UPRIGHT + 1, ics=True))
    teacher |= projection(fill, width, "head.mlp", "head.last_layer")
    return pre_training_file(teacher, {}, "dino_loss")


def transreid_ssl_unsupervised(fill: Filler, width: int, depth: int) -> dict[str, Any]:
    state = backbone(fill, width, depth, UPRIGHT + 1, ics=True)
    state |= fill.batch_norm("bottleneck", width)
    return {"state_dict": prefixed("module.", state), "epoch": 50, "best_mAP": np.float64(0.88)}


def pass_pretrained(fill: Filler, width: int, depth: int) -> dict[str, Any]:
    teacher = prefixed("backbone.", backbone(fill, width, depth, UPRIGHT, parts=True))
    for token in ("cls", "pt1", "pt2", "pt3"):
        teacher |= projection(fill, width, f"head.mlp_{token}", f"head.last_layer_{token}")
    return pre_training_file(teacher, {}, "dino_loss")


def pass_supervised(fill: Filler, width: int, depth: int) -> dict[str, Any]:
    state = prefixed("base.", backbone(fill, width, depth, UPRIGHT, parts=True))
    state |= fill.linear("base.fc", 1000, width)
    for neck in ("bottleneck", "bottleneck_1", "bottleneck_2", "bottleneck_3"):
        state |= fill.batch_norm(neck, width)
    return OrderedDict(state | {"classifier.weight": fill(CLASSES, 2 * width)})


def pass_unsupervised(fill: Filler, width: int, depth: int) -> dict[str, Any]:
    state = backbone(fill, width, depth, UPRIGHT, parts=True)
    state |= fill.batch_norm("bottleneck", 2 * width)
    return {"state_dict": prefixed("module.", state), "epoch": 50, "best_mAP": np.float64(0.9)}


def timm_vit(fill: Filler, width: int, depth: int) -> dict[str, Any]:
    return OrderedDict(backbone(fill, width, depth, SQUARE + 1) | fill.linear("head", 1000, width))


Builder = Callable[[Filler, int, int], dict[str, Any]]

BUILDERS: dict[str, Builder] = {
    "dino": dino,
    "ibot": ibot,
    "msn": msn,
    "pass-pretrained": pass_pretrained,
    "pass-supervised": pass_supervised,
    "pass-unsupervised": pass_unsupervised,
    "personvit-finetuned": personvit_finetuned,
    "personvit-pretrained": personvit_pretrained,
    "timm": timm_vit,
    "transreid-ssl-pretrained": transreid_ssl_pretrained,
    "transreid-ssl-unsupervised": transreid_ssl_unsupervised,
}
# Where, inside each file, the table of the model's own weights lies.
WEIGHTS_UNDER = {
    "dino": "teacher",
    "ibot": "teacher",
    "msn": "target_encoder",
    "pass-pretrained": "teacher",
    "pass-unsupervised": "state_dict",
    "personvit-pretrained": "teacher",
    "transreid-ssl-pretrained": "teacher",
    "transreid-ssl-unsupervised": "state_dict",
}


class Official:
    """Makes the official file of a family, whole or with its weights tampered with."""

    families = tuple(BUILDERS)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def payload(
        self, family: str, width: int = WIDTH, depth: int = DEPTH, seed: int = 0
    ) -> dict[str, Any]:
        return BUILDERS[family](Filler(seed), width, depth)

    def weights(self, family: str, payload: dict[str, Any]) -> dict[str, torch.Tensor]:
        """The table inside a payload; changing it changes the payload."""
        return payload[WEIGHTS_UNDER[family]] if family in WEIGHTS_UNDER else payload

    def save(self, payload: Any, name: str = "official.pth", **how: Any) -> Path:
        path = self._folder / name
        torch.save(payload, path, **how)
        return path

    def file(self, family: str, **sizes: int) -> Path:
        return self.save(self.payload(family, **sizes))


@pytest.fixture
def official(tmp_path: Path) -> Official:
    return Official(tmp_path)


@pytest.fixture
def fill() -> Filler:
    return Filler()
