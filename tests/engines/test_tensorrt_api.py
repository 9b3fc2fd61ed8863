"""The names that our code uses of TensorRT, in every version whose real bindings were recorded."""

from __future__ import annotations

import ast
import json
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from personvit.engines.tensorrt_packages import PACKAGES

HERE = Path(__file__).parent
RECORDED = {path.stem: json.loads(path.read_text()) for path in (HERE / "trt_api").glob("*.json")}
OURS = ("child", "layernorm", "lane", "load", "runtime", "packages")

CLASSES = {
    "builder": "Builder",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "error": "ParserError",
    "config": "IBuilderConfig",
    "profile": "IOptimizationProfile",
    "cache": "ITimingCache",
    "layer": "ILayer",
    "reader": "ILayer",
    "raised": "ILayer",
    "lowered": "ILayer",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "inspector": "EngineInspector",
    "context": "IExecutionContext",
}
"""What a variable of that name holds in our modules."""
WEAK = {"precision", "set_output_type"}
"""Used for weak typing alone, and so only where that is offered."""
RTX = {"ComputeCapability", "num_compute_capabilities", "set_compute_capability"}
"""Used for TensorRT-RTX alone."""


@cache
def trees(root: Path) -> list[ast.Module]:
    folder = root / "engines"
    return [ast.parse((folder / f"tensorrt_{name}.py").read_text()) for name in OURS]


def used(root: Path) -> set[tuple[str, str]]:
    """(class or "", attribute) of everything that is taken from TensorRT."""
    found = set()
    for tree in trees(root):
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and (owner := owner_of(node.value)) is not None:
                found.add((owner, node.attr))
    return found


def owner_of(value: ast.expr) -> str | None:
    if isinstance(value, ast.Name):
        return "" if value.id == "trt" else CLASSES.get(value.id)
    if isinstance(value, ast.Attribute):
        if isinstance(value.value, ast.Name) and value.value.id == "trt":
            return value.attr
        return CLASSES.get(value.attr.lstrip("_"))
    return None


def known(facts: dict, owner: str, name: str) -> bool:
    if not owner:
        return name in facts["names"] or name == "__version__"
    members = set(facts["classes"].get(owner, ())) | set(facts["enums"].get(owner, ()))
    return name in members or name == "__init__"


def test_enough_of_it_is_found(tree):
    """The test above would pass on an empty set."""
    assert {
        ("", "Builder"),
        ("OnnxParser", "parse"),
        ("IBuilderConfig", "set_timing_cache"),
        ("INetworkDefinition", "add_cast"),
        ("ILayer", "set_input"),
        ("ICudaEngine", "get_tensor_dtype"),
        ("ICudaEngine", "device_memory_size_v2"),
        ("IExecutionContext", "set_tensor_address"),
        ("IExecutionContext", "execute_async_v3"),
        ("Runtime", "deserialize_cuda_engine"),
        ("ProfilingVerbosity", "DETAILED"),
    } <= used(tree)


@pytest.mark.parametrize("version", sorted(RECORDED))
def test_every_name_exists_in_every_version_it_is_used_with(tree, version):
    weak = "weak" in PACKAGES["tensorrt"].typings(version)
    without = RTX if weak else RTX | WEAK
    missing = {
        one for one in used(tree) if not known(RECORDED[version], *one) and without.isdisjoint(one)
    }
    assert not missing


def test_every_name_exists_in_the_tensorrt_rtx_that_is_here(tree, shared):
    facts = shared("engines/trt_api/record.py").describe(import_module("tensorrt_rtx"))
    missing = {one for one in used(tree) if not known(facts, *one) and WEAK.isdisjoint(one)}
    assert not missing


@pytest.mark.parametrize("version", sorted(RECORDED))
def test_no_answer_that_tells_of_failure_is_thrown_away(tree, version):
    """A method that answers a bool reports failure by it; one that stands alone loses it."""
    answering = {
        name
        for members in RECORDED[version]["classes"].values()
        for name, told in members.items()
        if told.endswith("-> bool")
    }
    lost = [
        f"{node.value.func.attr}, line {node.lineno}"
        for tree_ in trees(tree)
        for node in ast.walk(tree_)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Attribute)
        and node.value.func.attr in answering
        and owner_of(node.value.func.value) is not None
    ]
    assert "set_tensor_address" in answering
    assert not lost


def test_the_numbers_behind_names_do_differ_so_names_are_what_we_use():
    strong = {
        version: facts["enums"]["NetworkDefinitionCreationFlag"]["STRONGLY_TYPED"]
        for version, facts in RECORDED.items()
    }
    assert strong["10.3.0"] == 1
    assert strong["11.1.0.106"] == 0


def test_the_pretended_cuda_has_the_names_and_numbers_of_the_real_one(tree):
    real = import_module("cuda.bindings.runtime")
    pretended = ast.parse((tree / "tests/fakes/cuda/bindings/runtime.py").read_text())
    for node in pretended.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("cuda"):
            given = len(node.args.args)
            told = (getattr(real, node.name).__doc__ or "").splitlines()[0]
            inside = told[told.index("(") + 1 : told.rindex(")")].strip()
            assert given == (inside.count(",") + 1 if inside else 0), told
        if isinstance(node, ast.ClassDef):
            members = getattr(real, node.name).__members__
            for line in node.body:
                assert int(members[line.targets[0].id]) == line.value.value
