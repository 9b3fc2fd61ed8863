"""What came of each candidate: its recipe, its verdict, and whether the bundle carries it."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.manifest import Candidate
from .embedder import Embeddings
from .graphs import Written
from .judge import Judgement
from .quantise import Quantised


@dataclass(frozen=True)
class Answers:
    """Embeddings of the crops that travel in the bundle."""

    golden: Embeddings
    probe: Embeddings | None


@dataclass(frozen=True)
class Trial:
    """`judgement` is None where nothing could be judged; `left_out` says why a bundle lacks it."""

    candidate: Candidate
    quantised: Quantised | None
    graphs: tuple[Written, ...]
    judged: Written | None = None
    judgement: Judgement | None = None
    answers: Answers | None = None
    left_out: str = ""

    @property
    def kept(self) -> bool:
        return not self.left_out

    @property
    def share(self) -> float:
        """The share of all matrix work that its recipe puts into INT8."""
        return self.quantised.share if self.quantised else 0.0

    @property
    def shown(self) -> Written | None:
        """The graph whose size is told: TensorRT's where there is one."""
        gpus = (graph for graph in self.graphs if graph.kind.name != "cpu")
        return next(gpus, self.graphs[0] if self.graphs else None)

    @property
    def judged_as(self) -> str:
        """What this machine ran to judge it, for a person."""
        if self.judged is None:
            return "not judged"
        if self.judged.spec.rounded:
            return (
                "the FP32 graph with every constant that FP16 graphs hold rounded to FP16; "
                "activations in FP16 are checked on the device"
            )
        return "the CPU graph" if self.quantised else "the full-precision CPU graph itself"
