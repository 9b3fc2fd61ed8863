"""`personvit-train models`: every architecture and every released model with a short name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelsOptions:
    """List architectures, students to distil, released models with short names and file families.

    Example: personvit-train models
    """


@dataclass(frozen=True)
class ModelList:
    """Names, each with one line about it."""

    architectures: Mapping[str, str]
    students: Mapping[str, str]
    released: Mapping[str, str]
    families: Mapping[str, str]

    def as_json(self) -> dict[str, dict[str, str]]:
        return {
            "architectures": dict(self.architectures),
            "students": dict(self.students),
            "released": dict(self.released),
            "families": dict(self.families),
        }

    def as_text(self) -> str:
        sections = []
        for title, entries in self.as_json().items():
            width = max(map(len, entries))
            sections.append(f"{title}:")
            sections += [f"  {name:{width}}  {text}" for name, text in entries.items()]
        return "\n".join(sections)


def list_models(options: ModelsOptions) -> ModelList:
    """Walk the registries."""
    from ..core.models.family import families
    from ..core.models.hub import short_names
    from ..core.models.registry import describe, names
    from .distill.student import students

    return ModelList(
        architectures={name: describe(name) for name in names()},
        students={student.name: student.title for student in students().values()},
        released={name: str(address) for name, address in short_names().items()},
        families={family.name: family.title for family in families()},
    )
