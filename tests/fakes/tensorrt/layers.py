"""The layer report that the engine inspector of this version might give for a graph of ours.

Its form is that of tests/engines/layer_reports, which says where it is quoted from; its contents
follow from the graph alone: what TensorRT would make of it is not known here.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from .recorded import NUMBERS

MAKER = Path(__file__).parents[2] / "engines" / "layer_reports" / "make_reports.py"


def report(graph: Any, batch: int, raised: int, *, detailed: bool) -> str:
    shapes = {one.name: list(one.dims) for one in graph.initializer}
    if "positions" not in shapes:
        return json.dumps({"Layers": [node.name for node in graph.node], "Bindings": []})
    blocks = [re.match(r"blocks\.(\d+)\.", name) for name in shapes]
    depth = 1 + max(int(found[1]) for found in blocks if found)
    operators = {node.op_type for node in graph.node}
    _, tokens, width = shapes["positions"]
    norms = [f"blocks.{block}.norm{number}" for block in range(depth) for number in (1, 2)]
    maker = _maker()
    case = maker.Case(
        version=f"{NUMBERS[0]}.{NUMBERS[1]}",
        depth=depth,
        width=width,
        heads=_heads(graph, width),
        tokens=tokens,
        linear="int8" if "QuantizeLinear" in operators else "fp16",
        native="Attention" in operators,
        fp32=tuple(norms) if raised else (),
        batch=batch,
        names_only=not detailed,
    )
    return maker.report(case)


def _heads(graph: Any, width: int) -> int:
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name == "q_num_heads":
                return attribute.i
    return max(1, width // 64)


@cache
def _maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("layer_report_maker_of_fakes", MAKER)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
