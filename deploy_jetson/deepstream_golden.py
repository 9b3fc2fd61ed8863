"""The golden crops as trtexec reads them, and the program that judges its answer on the device."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..core.bundle import Bundle
from ..core.golden import CROPS
from . import deepstream_check_engine
from .deepstream_settings import Facts

PROGRAM = "check_engine.py"


def golden_batches(batch: int) -> tuple[int, ...]:
    """One crop alone, and as many as the engine takes: faults were seen at either."""
    return tuple(sorted({1, min(CROPS, batch)}))


def golden_files(bundle: Bundle, facts: Facts, batch: int) -> Mapping[str, bytes]:
    golden = bundle.golden()
    wanted = golden.expected[facts.variant.name]
    planes = np.ascontiguousarray(golden.crops.astype(np.float32).transpose(0, 3, 1, 2))
    about = {
        "output": facts.output,
        "cosine_min": wanted.bounds.cosine_min,
        "norm_tolerance": wanted.bounds.norm_tolerance,
        "embeddings": [[round(float(value), 7) for value in row] for row in wanted.embeddings],
    }
    program = Path(deepstream_check_engine.__file__).read_bytes()
    inputs = {
        f"golden_{size}.bin": planes[:size].astype("<f4").tobytes()
        for size in golden_batches(batch)
    }
    return {**inputs, "golden.json": json.dumps(about).encode() + b"\n", PROGRAM: program}
