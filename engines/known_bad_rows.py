"""The rows of the known-bad list, oldest version first: data, each with its source and date."""

from __future__ import annotations

from .known_bad_row import THOR, Row

TENSORRT = "https://github.com/NVIDIA/TensorRT/issues/"
EDGE_LLM = "https://github.com/NVIDIA/TensorRT-Edge-LLM/issues/"

ROWS: tuple[Row, ...] = (
    Row(
        id="trt-10.3-dynamic-shapes",
        title="TensorRT 10.3 gives wrong results for transformers with dynamic dimensions.",
        first=(10, 3),
        until=(10, 5),
        batch="several",
        seen="The same ONNX file is right on 10.5 and 10.8, and wrong on 10.3.",
        sources=(TENSORRT + "4419",),
        date="2025-04-22",
        workaround="static-profile",
        mend="The engine is built for fixed batch sizes, one profile each.",
    ),
    Row(
        id="trt-10.13-thor-batch-1",
        title="TensorRT 10.13 on Thor joins products wrongly in engines for batch 1 only.",
        first=(10, 13),
        until=(10, 15),
        capabilities=THOR,
        batch="one",
        seen="Projections that share one LayerNorm's output are corrupted, the values most of all.",
        sources=(EDGE_LLM + "151", EDGE_LLM + "105"),
        date="2026-07-30",
        workaround="bigger-batch",
        mend="The engine is built to take at least two crops; a single one still runs.",
    ),
)
