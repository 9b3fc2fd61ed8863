"""One thing that a person can put right on this machine, or should know of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["must", "should", "note"]
LEVELS: tuple[Level, ...] = ("must", "should", "note")


@dataclass(frozen=True)
class Finding:
    """`must`: a GPU runtime stays out of reach without it. `should`: it costs speed or a build."""

    topic: str
    level: Level
    says: str
    mend: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
