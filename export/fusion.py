"""Proof, without a GPU, that TensorRT's own compiler fuses every attention of a graph.

TensorRT refuses to build an `Attention` node that no dedicated kernel serves, unless the node is
marked decomposable. So a graph is proved for an architecture when it builds, holds every
`Attention` it should, none of them marked, and its FP32 form, for which there is no kernel, is
refused in the same run: the last shows that the refusal works here. It speaks for a whole graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..engines.tensorrt_build import Attempt, BuildRequest, attempt

if TYPE_CHECKING:
    from onnx import ModelProto

RTX_CAPABILITIES = ("8.6", "8.9", "12.0")
NO_KERNEL = "Attention operation was not supported by a dedicated kernel"
DECOMPOSABLE = "TRT_decomposable"
EXCERPT = 600

Condition = Literal[
    "builds", "every attention present", "none marked decomposable", "FP32 form refused"
]
Builder = Callable[[bytes, BuildRequest], Attempt]


@dataclass(frozen=True)
class ArchitectureProof:
    """One architecture; `failed` says which conditions did not hold."""

    capability: str
    failed: tuple[Condition, ...]
    log: str
    """The compiler's own words about what failed, shortened."""

    @property
    def proved(self) -> bool:
        return not self.failed


@dataclass(frozen=True)
class FusionProof:
    compiler: str
    attentions: int
    expected: int
    architectures: tuple[ArchitectureProof, ...]

    @property
    def proved(self) -> bool:
        return bool(self.architectures) and all(one.proved for one in self.architectures)

    def as_json(self) -> dict[str, Any]:
        rows = [{**asdict(one), "proved": one.proved} for one in self.architectures]
        return {**asdict(self), "proved": self.proved, "architectures": rows}

    def as_text(self) -> str:
        lines = [f"{self.attentions} of {self.expected} attentions, {self.compiler}"]
        for one in self.architectures:
            verdict = "proved" if one.proved else f"not proved: {'; '.join(one.failed)}"
            lines.append(f"SM {one.capability}: {verdict}")
        return "\n".join(lines)


def prove(
    graph: bytes,
    fp32_form: bytes,
    expected: int,
    capabilities: tuple[str, ...] = RTX_CAPABILITIES,
    *,
    limit_s: float = 300.0,
    builder: Builder = attempt,
) -> FusionProof:
    """Try every condition for every architecture; `expected` is the model's number of blocks."""
    import onnx

    parsed = onnx.load_from_string(graph)
    attentions = _attentions(parsed)
    about_graph = _graph_conditions(parsed, len(attentions), expected)
    versions: set[str] = set()
    found = []
    for capability in capabilities:
        request = BuildRequest((capability,), limit_s=limit_s)
        made, refused = builder(graph, request), builder(fp32_form, request)
        versions |= {made.version, refused.version}
        found.append(_judge(capability, about_graph, made, refused))
    known = sorted(versions - {"unknown"})
    compiler = f"TensorRT-RTX {', '.join(known) or 'unknown'}"
    return FusionProof(compiler, len(attentions), expected, tuple(found))


def _judge(
    capability: str, about_graph: tuple[Condition, ...], made: Attempt, refused: Attempt
) -> ArchitectureProof:
    failed, log = list(about_graph), []
    if made.plan is None:
        failed.insert(0, "builds")
        log.append(made.log)
    if refused.plan is not None or NO_KERNEL not in refused.log:
        failed.append("FP32 form refused")
        log.append(refused.log or "the FP32 form was built")
    return ArchitectureProof(capability, tuple(failed), "\n".join(log)[:EXCERPT])


def _graph_conditions(graph: ModelProto, attentions: int, expected: int) -> tuple[Condition, ...]:
    failed: list[Condition] = []
    if attentions != expected or not expected:
        failed.append("every attention present")
    if any(_marked(node) for node in _attentions(graph)):
        failed.append("none marked decomposable")
    return tuple(failed)


def _attentions(graph: ModelProto) -> list[Any]:
    return [node for node in graph.graph.node if node.op_type == "Attention" and not node.domain]


def _marked(node: Any) -> bool:
    return any(item.name == DECOMPOSABLE for item in node.attribute)
