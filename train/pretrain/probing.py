"""When a run looks at what its teacher has learnt, and what it saw so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...core.models.vit import ReidVit
from .probe import Probe
from .result import Probed


@dataclass
class Probing:
    """Before the first step, after every so many, and after the last."""

    probe: Probe
    every: int
    last: int
    linear: bool = False
    seen: list[Probed] = field(default_factory=list)

    def due(self, step: int) -> bool:
        """Whether to look now; a resumed run does not look twice."""
        looked = bool(self.seen) and self.seen[-1].step == step
        return not looked and (step % self.every == 0 or step == self.last)

    def look(self, step: int, teacher: ReidVit) -> Probed:
        linear = self.probe.linear(teacher) if self.linear else None
        found = Probed(step, self.probe.knn(teacher), linear)
        self.seen.append(found)
        return found


def numbers(found: Probed) -> dict[str, float]:
    """For the journal."""
    facts = {"probe_map": found.neighbours.mean_ap, "probe_rank1": found.neighbours.rank1}
    if found.linear is not None:
        facts |= {"linear_map": found.linear.mean_ap, "linear_rank1": found.linear.rank1}
    return facts
