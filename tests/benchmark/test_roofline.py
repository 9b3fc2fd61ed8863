"""Rooflines agree with figures worked out by hand, and no device is guessed."""

from __future__ import annotations

import pytest
import torch

from personvit.benchmark.roofline import (
    AGX_ORIN_64,
    H200,
    ORIN_NANO_8,
    ORIN_NANO_SUPER,
    VitSize,
    for_device,
)
from personvit.core.models.registry import config_of
from personvit.core.models.vit import build

GIB = 2**30
SMALL, BASE = (VitSize.of(config_of(name)) for name in ("vit_small_16", "vit_base_16"))


@pytest.mark.parametrize(
    ("name", "gflop"), [("vit_tiny_16", 1.561), ("vit_small_16", 5.861), ("vit_base_16", 22.678)]
)
def test_operations_of_the_published_sizes(name, gflop):
    assert VitSize.of(config_of(name)).operations / 1e9 == pytest.approx(gflop, abs=5e-4)


@pytest.mark.parametrize("name", ["vit_micro_16", "vit_small_16"])
def test_weights_are_those_of_the_model(name):
    with torch.device("meta"):
        backbone = build(config_of(name)).backbone
    assert VitSize.of(config_of(name)).weights == sum(one.numel() for one in backbone.parameters())


@pytest.mark.parametrize("schedule", [(), ((4, 96), (8, 64))])
def test_operations_are_those_that_a_matrix_library_counts(schedule):
    from torch.utils.flop_counter import FlopCounterMode

    config = config_of("vit_micro_16", token_schedule=schedule)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        build(config).eval().embed(torch.zeros(1, 3, 256, 128))
    assert counter.get_total_flops() == VitSize.of(config).operations


@pytest.mark.parametrize(
    ("peaks", "size", "batch", "precision", "milliseconds"),
    [
        (AGX_ORIN_64, SMALL, 1, "fp16", 0.212),
        (AGX_ORIN_64, SMALL, 8, "int8", 0.552),
        (AGX_ORIN_64, BASE, 32, "fp16", 17.075),
        (ORIN_NANO_8, SMALL, 8, "fp16", 4.596),
        (ORIN_NANO_SUPER, BASE, 1, "int8", 0.842),
        (H200, BASE, 64, "fp16", 1.467),
        (H200, SMALL, 1, "int8", 0.005),
    ],
)
def test_bounds_worked_out_by_hand(peaks, size, batch, precision, milliseconds):
    """The table that the project's goals were set from."""
    bound = peaks.bound_ms(size, batch, precision)
    assert bound == pytest.approx(milliseconds, rel=5e-3, abs=5e-4)
    assert peaks.share(size, batch, precision, 2 * bound) == pytest.approx(0.5)


def test_a_precision_without_a_known_peak_has_no_share():
    assert H200.share(SMALL, 1, "fp32", 1.0) is None
    assert AGX_ORIN_64.bound_ms(SMALL, 1, "fp8") is None


@pytest.mark.parametrize(
    ("name", "capability", "facts", "expected"),
    [
        ("NVIDIA H200", (9, 0), {}, H200),
        ("NVIDIA H200", None, {}, H200),
        ("NVIDIA Jetson AGX Orin Developer Kit", (8, 7), {"memory": 61 * GIB}, AGX_ORIN_64),
        (
            "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", (8, 7),
            {"memory": 7.4 * GIB, "power_mode": "MAXN_SUPER"}, ORIN_NANO_SUPER,
        ),
        (
            "NVIDIA Jetson Orin Nano Developer Kit", (8, 7),
            {"memory": 7.4 * GIB, "power_mode": "15W"}, ORIN_NANO_8,
        ),
        ("NVIDIA Jetson Orin Nano Developer Kit", (8, 7), {"memory": 7.4 * GIB}, None),
        ("NVIDIA Jetson Orin Nano", (8, 7), {"memory": 3.5 * GIB, "power_mode": "7W"}, None),
        ("NVIDIA Jetson AGX Orin", (8, 7), {"memory": 30 * GIB}, None),
        ("NVIDIA Jetson AGX Orin", (8, 7), {}, None),
        ("Orin", (8, 7), {"memory": 61 * GIB}, None),
        ("NVIDIA H100", (9, 0), {}, None),
        ("NVIDIA H200", (8, 0), {}, None),
        ("NVIDIA Jetson AGX Thor Developer Kit", (11, 0), {"memory": 122 * GIB}, None),
        (None, None, {}, None),
        ("", (9, 0), {}, None),
    ],
)  # fmt: skip
def test_devices_are_known_or_not(name, capability, facts, expected):
    assert for_device(name, capability, **facts) == expected
