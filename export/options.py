"""What a user says to `personvit-export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..core.command import LARGEST_SEED, argument, option


@dataclass(frozen=True)
class ExportOptions:
    """Make a verified bundle from fine-tuned weights and a folder of crops.

    The quantised engine is scored on retrieval against the full-precision one. The command ends
    with 0 when the gate passes, 2 when it fails and 4 when there are too few queries to tell.

    Example: personvit-export model.safetensors --data DATA --int8 --target cpu,rtx -o model.pvb
    """

    weights: str = argument("a weights file of any known family, hf://... or a short name")
    data: Path | None = option(None, "the data set: calibration from its training split (required)")
    out: Path | None = option(None, "the bundle to write, OUT.pvb (required)")
    int8: bool = option(False, "quantise; without it the bundle is full and half precision")
    candidates: str | None = option(
        None, "also make fp16, int8, int8-attention, mixed (by comma), for a device to choose from"
    )
    target: str = option(
        "cpu", "cpu, rtx, trt10.3, trt10.13, trt10.16, trt11, deepstream; by comma"
    )
    neck: Literal["before", "after"] | None = option(None, "side of the neck the embedding is from")
    gate: str = option("mAP>=-0.2", "the loss allowed, or 'agreement' for crops without labels")
    kind: str | None = option(None, "the data set's format, when it cannot be recognised")
    recipe: Path | None = option(None, "a quantisation recipe to use as it is; no search follows")
    search: bool = option(True, "protect layers that quantise badly, judged on training people")
    calibration_crops: int = option(512, "training crops that set the ranges", low=32)
    golden: Literal["synthetic", "data"] = option("synthetic", "the crops replayed at every load")
    probe: int | None = option(
        None,
        "crops to store for checks on devices: 0, or 200 and more; 200 with --candidates",
        low=0,
    )
    probe_crops: Literal["synthetic", "data"] = option(
        "synthetic", "what those are; people in crops from data can be recognised"
    )
    arch: str = option("8.6,8.9,12.0", "compute capabilities for rtx engines; by comma")
    latency: bool = option(True, "time the engines, interleaved")
    seed: int = option(0, "decides every random choice", low=0, high=LARGEST_SEED)
    workers: int | None = option(None, "threads that read images", low=1, high=1024)
    skip_bad: bool = option(False, "leave out crops that cannot be read, and list them")
