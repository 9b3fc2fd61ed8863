"""A student that computes in training as its INT8 engine will: fake-quantised linear layers.

Its inputs' ranges are calibrated once and stay; a weight row's range follows the row. Gradients
pass the rounding unchanged and stop where a value is clipped (docs/distill.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ...core.errors import CalibrationError, ConfigError
from ...core.models.config import ModelConfig
from ...core.models.quantizers import quantizer_settings, quietly
from ...core.models.ranges import layer_names
from ...core.models.vit import ReidVit, filled
from ..crops import TrainingCrops

CALIBRATION_CROPS = 512
BATCH = 32
_STATE = "_quantizer."
"""In the names of what modelopt adds to a model's state."""


def check_int8(config: ModelConfig, *, random: bool) -> None:
    """Refuse a student whose ranges would mean nothing, or that no INT8 engine can be made of."""
    if random:
        raise ConfigError(
            "--int8 goes on from a trained student, whose ranges can be calibrated; distil without "
            "it first, then give that run's model.safetensors as STUDENT or --initial"
        )
    if config.convolutional:
        raise ConfigError(
            f"--int8 trains transformers; distil {config.trunk} without it, and let "
            "personvit-export calibrate it"
        )
    if config.cameras:
        raise ConfigError("--int8 trains for export, which refuses models with camera embeddings")


def calibration_batches(crops: TrainingCrops, device: torch.device) -> Iterable[Tensor]:
    """Training crops spread evenly over the list, as they are; the same in every process."""
    count = len(crops.samples)
    places = sorted({index * count // CALIBRATION_CROPS for index in range(CALIBRATION_CROPS)})
    for start in range(0, len(places), BATCH):
        pixels = [crops.read(place) for place in places[start : start + BATCH]]
        yield torch.stack(
            [torch.from_numpy(crops.preprocess.normalise(one[None]))[0] for one in pixels]
        ).to(device)


def fake_quantise(student: ReidVit, batches: Iterable[Tensor]) -> None:
    """Calibrate the student where it is, and quantise its linear layers from now on."""
    layers = layer_names(student.config.depth)
    settings = quantizer_settings(layers, moving_weights=True)

    def loop(model: nn.Module) -> None:
        for batch in batches:
            model(batch)

    training = student.training
    with quietly(), torch.no_grad():
        import modelopt.torch.quantization as mtq

        mtq.quantize(student.eval(), {"quant_cfg": settings, "algorithm": "max"}, loop)
    student.train(training)
    if dead := [layer for layer in layers if not _range(student, layer) > 0]:
        raise CalibrationError(
            f"the input of {dead[0]} was zero or not finite on every calibration crop; "
            "the student's weights are damaged, or not those of a trained model"
        )


def plain(student: ReidVit) -> tuple[ReidVit, dict[str, float]]:
    """The student as a file holds it: its weights without quantisers, and its ranges beside."""
    ranges = {layer: _range(student, layer) for layer in layer_names(student.config.depth)}
    state = {
        name: value.detach().cpu()
        for name, value in student.state_dict().items()
        if _STATE not in name
    }
    return filled(student.config, state, "the fake-quantised student"), ranges


def _range(student: ReidVit, layer: str) -> float:
    linear: Any = student.backbone.get_submodule(layer)
    return float(linear.input_quantizer.amax)
