"""Layer reports of our own graphs, in the forms that README.md quotes; no TensorRT was run.

    python tests/engines/layer_reports/make_reports.py

writes the JSON files beside this one. The test imports it for the larger models.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KEPT = 2
"""Tokens that the last block makes (export/graph.py)."""

_GEMM = "sm80_xmma_gemm_{}_tilesize64x64x64_stage4_warpsize2x2x1_tensor16x8x{}"
TACTICS = {
    "fp16": _GEMM.format("f16f16_f16f16_f16_nn_n", 16),
    "int8": _GEMM.format("i8f32_i8i32_f32_tn_n", 32),
    "fp32": _GEMM.format("tf32tf32_tf32f32_f32_nn_n", 8),
}
TYPES = {"fp16": "Half", "int8": "Int8", "fp32": "Float"}
FORMATS = {
    "Half": "Row major linear FP16 format (kLINEAR)",
    "Int8": "Row major Int8 format (kLINEAR)",
    "Float": "Row major linear FP32 format (kLINEAR)",
    "UInt8": "Row major linear UInt8 format (kLINEAR)",
}


@dataclass(frozen=True)
class Case:
    """One engine: a ViT, what TensorRT made of it, and the form it is written in."""

    version: str = "10.3"
    depth: int = 12
    width: int = 384
    heads: int = 6
    tokens: int = 129
    linear: str = "fp16"
    attention: str = "fp16"
    """fp16 or int8 in one kernel; apart-int8-fp16 and the like, products apart."""
    native: bool = False
    """Whether the graph holds Attention nodes."""
    fp32: tuple[str, ...] = ()
    """Linear layers that run in FP32, and norms such as blocks.0.norm1."""
    batch: int = 1
    """-1 where it is free."""
    merged: bool = False
    """Whether a free batch is joined with tokens and heads."""
    reformats: int = 1
    names_only: bool = False


CASES = {
    "trt10.3-vits-int8": Case(linear="int8"),
    "trt10.16-vits-int8-free-batch": Case(
        "10.16", linear="int8", native=True, batch=-1, merged=True
    ),
    "trt11.1-vits-int8": Case("11.1", linear="int8", native=True),
    "trt10.3-micro-fp16": Case(depth=4, width=192, heads=3),
    "trt10.3-micro-int8-attention-apart": Case(
        depth=4, width=192, heads=3, linear="int8", attention="apart-int8-fp16"
    ),
    "trt10.3-micro-fp32-islands": Case(
        depth=4, width=192, heads=3, linear="int8", reformats=6,
        fp32=("blocks.2.mlp.fc1", "blocks.0.norm1"),
    ),
    "trt11.1-micro-fp16": Case("11.1", depth=4, width=192, heads=3, native=True),
    "trt10.3-micro-names": Case(depth=4, width=192, heads=3, names_only=True),
    "trt11.1-micro-names": Case("11.1", depth=4, width=192, heads=3, native=True, names_only=True),
}  # fmt: skip


def report(case: Case) -> str:
    """The JSON that the engine inspector of that version would give."""
    layers = list(_Engine(case).layers())
    listed: list[Any] = [layer["Name"] for layer in layers] if case.names_only else layers
    return json.dumps({"Layers": listed, **_ends(case)}, indent=1) + "\n"


def write_all() -> None:
    for name, case in CASES.items():
        (HERE / f"{name}.json").write_text(report(case))


class _Engine:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.count = 0

    def layers(self) -> Iterator[dict[str, Any]]:
        case = self.case
        yield from (self._reformat(place) for place in range(case.reformats))
        yield self._patches()
        for block in range(case.depth):
            yield from self._block(block)
        yield self._layer(
            "__myl_CastMeanSubMulMeanAddSqrtDivMulAddReshMulSumSqrtMaxDiv_myl0",
            ("kgen", ""),
            [("stream", self._rows(KEPT, case.width), "Half")],
            [("embedding", [case.batch, case.width], "Float")],
            ["last_tokens", "norm", "pooled", "neck.scaled", "neck", "embedding"],
        )

    def _block(self, block: int) -> Iterator[dict[str, Any]]:
        name, case = f"blocks.{block}", self.case
        last = block == case.depth - 1
        rows = KEPT if last else case.tokens
        yield self._norm(f"{name}.norm1", case.tokens)
        if last:
            yield self._linear(f"{name}.attn.qkv.q", rows, case.width, case.width)
            yield self._linear(f"{name}.attn.qkv.kv", case.tokens, case.width, 2 * case.width)
        else:
            yield self._linear(f"{name}.attn.qkv", rows, case.width, 3 * case.width)
        yield from self._attention(block, rows)
        yield self._linear(f"{name}.attn.proj", rows, case.width, case.width)
        yield self._norm(f"{name}.norm2", rows, f"{name}.residual1")
        yield self._linear(f"{name}.mlp.fc1", rows, case.width, 4 * case.width, f"{name}.mlp.gelu")
        yield self._linear(f"{name}.mlp.fc2", rows, 4 * case.width, case.width)

    def _patches(self) -> dict[str, Any]:
        patches = self.case.tokens - 1
        made = self._linear("patch_embed.proj", patches, 768, self.case.width, precision="fp16")
        made["Inputs"][0]["Name"] = "patches"
        return made

    def _norm(self, name: str, rows: int, *more: str) -> dict[str, Any]:
        wide = name in self.case.fp32
        kind = "Float" if wide else "Half"
        out = "Int8" if self.case.linear == "int8" and not wide else kind
        shape = self._rows(rows, self.case.width)
        return self._layer(
            "__myl_AddCastMeanSubMulMeanAddSqrtDivMulCastMulAdd_myl0",
            ("kgen", "__myl_AddCastMeanSubMulMeanAddSqrtDivMulCastMulAdd_0xf2543c36ff9f104b"),
            [(f"{name}.in", shape, kind)],
            [(name, shape, out)],
            [*more, name],
        )

    def _linear(
        self, name: str, rows: int, inner: int, outer: int, *more: str, precision: str = ""
    ) -> dict[str, Any]:
        precision = precision or ("fp32" if name in self.case.fp32 else self.case.linear)
        fused = bool(more) or precision == "int8"
        suffix = "_by_fusion_tactic" if fused else ""
        shown = "__myl_Fc_myl0" if fused else f"{name.replace('.', '_')}_product_myl0"
        kind = TYPES[precision]
        inputs = [(f"{name}.in", self._rows(rows, inner), kind)]
        if precision == "int8":
            inputs.insert(0, ("__mye116_dconst", [inner, outer], "Int8"))
        return self._layer(
            shown,
            ("fusion" if fused else "gemm", TACTICS[precision] + suffix),
            inputs,
            [(f"{name}.sum", self._rows(rows, outer), "Half" if precision != "fp32" else "Float")],
            [f"{name}.product", f"{name}.sum", *more],
        )

    def _attention(self, block: int, rows: int) -> Iterator[dict[str, Any]]:
        name, case = f"blocks.{block}.attn", self.case
        head = case.width // case.heads
        query, key = self._heads(rows, head), self._heads(head, case.tokens)
        value, made = self._heads(case.tokens, head), self._heads(rows, head)
        if case.attention.startswith("apart"):
            yield from self._apart(name, rows, head)
            return
        kind = TYPES[case.attention]
        parts = ["mixed"] if case.native else ["scores", "probabilities", "mixed"]
        yield self._layer(
            "_gemm_mha_v2_myl0",
            ("kgen", "_gemm_mha_v2_0x957a2fe283f77dcf35c142c1390a3e6a"),
            [(f"{name}.{each}", shape, kind) for each, shape in
             (("query", query), ("key", key), ("value", value))],
            [(f"{name}.joined", made, kind)],
            [f"{name}.{part}" for part in parts],
        )  # fmt: skip

    def _apart(self, name: str, rows: int, head: int) -> Iterator[dict[str, Any]]:
        tokens = self.case.tokens
        first, second = self.case.attention.split("-")[1:]
        weights = self._heads(rows, tokens)
        yield self._layer(
            f"{name.replace('.', '_')}_scores_myl0",
            ("gemm", TACTICS[first]),
            [(f"{name}.query", self._heads(rows, head), TYPES[first]),
             (f"{name}.key", self._heads(head, tokens), TYPES[first])],
            [(f"{name}.scores", weights, "Half")],
            [f"{name}.scores"],
        )  # fmt: skip
        yield self._layer(
            "__myl_MaxSubExpSumDivMul_myl0",
            ("kgen", "__myl_MaxSubExpSumDivMul_0x1b3a"),
            [(f"{name}.scores", weights, "Half")],
            [(f"{name}.probabilities", weights, TYPES[second])],
            [f"{name}.probabilities"],
        )
        yield self._layer(
            f"{name.replace('.', '_')}_mixed_myl0",
            ("gemm", TACTICS[second]),
            [(f"{name}.probabilities", weights, TYPES[second]),
             (f"{name}.value", self._heads(tokens, head), TYPES[second])],
            [(f"{name}.joined", self._heads(rows, head), "Half")],
            [f"{name}.mixed"],
        )  # fmt: skip

    def _reformat(self, place: int) -> dict[str, Any]:
        shape = [self.case.batch, 256, 128, 3]
        goal = "patch_embed.proj.product"
        made = self._layer(
            f"Reformatting CopyNode for Input Tensor {place} to {goal}",
            ("Reformat", ""),
            [("images" if not place else f"copy{place}", shape, "UInt8")],
            [(f"Reformatted Input Tensor {place} to {goal}", shape, "Half")],
            [],
        )
        return {**made, "Name": made["Name"].rsplit("_", 1)[0], "Origin": "REFORMAT"}

    def _layer(
        self,
        name: str,
        kernel: tuple[str, str],
        inputs: list[tuple[str, list[int], str]],
        outputs: list[tuple[str, list[int], str]],
        nodes: list[str],
    ) -> dict[str, Any]:
        self.count += 1
        kind, tactic = kernel
        return {
            "Name": f"{name}_{self.count}",
            "LayerType": kind,
            "Inputs": [self._tensor(*each) for each in inputs],
            "Outputs": [self._tensor(*each) for each in outputs],
            "TacticName": tactic,
            "StreamId": 0,
            "Metadata": "\x1e".join(f"[ONNX Layer: {node}]" for node in nodes),
        }

    def _tensor(self, name: str, shape: list[int], kind: str) -> dict[str, Any]:
        made: dict[str, Any] = {"Name": name, "Location": "Device", "Dimensions": shape}
        if self.case.version.startswith("11"):
            return {**made, "Format": FORMATS[kind], "Datatype": kind}
        return {**made, "Format/Datatype": kind}

    def _rows(self, rows: int, width: int) -> list[int]:
        case = self.case
        return [-1, width] if case.merged and case.batch < 0 else [case.batch, rows, width]

    def _heads(self, rows: int, columns: int) -> list[int]:
        case = self.case
        return [-1 if case.batch < 0 else case.heads * case.batch, rows, columns]


def _ends(case: Case) -> dict[str, Any]:
    if not case.version.startswith("11"):
        return {"Bindings": ["images", "embedding"]}
    tensor: Callable[..., dict[str, Any]] = lambda name, mode, kind, shape: {  # noqa: E731
        "Name": name, "IOMode": mode, "DataType": kind, "Dimensions": shape, "Location": "Device",
        "IsShapeInferenceIO": False,
        "ProfileInfo": [{"MinShape": shape, "OptShape": shape, "MaxShape": shape,
                         "Format": FORMATS[kind]}],
    }  # fmt: skip
    return {
        "I/O Tensors": [
            tensor("images", "Input", "UInt8", [case.batch, 256, 128, 3]),
            tensor("embedding", "Output", "Float", [case.batch, case.width]),
        ]
    }


if __name__ == "__main__":
    write_all()
