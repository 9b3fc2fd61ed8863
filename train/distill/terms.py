"""The lessons of a recipe, bound to what they need: who is asked for what, and with which head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor, nn

from ...core.errors import ConfigError
from ...core.models.config import ModelConfig
from . import losses
from .recipe import Teaching
from .seen import Seen, Wanted

PART_TOKENS = 3


class Term(NamedTuple):
    """One weighted loss; `value` takes the student's and the teacher's answers."""

    name: str
    weight: float
    value: Callable[[Seen, Seen], Tensor]


@dataclass(frozen=True)
class Lessons:
    """All terms, the learned maps to the teacher's widths, and what both models must show."""

    terms: tuple[Term, ...]
    heads: nn.ModuleDict
    student: Wanted
    teacher: Wanted


def lessons(teach: Teaching, student: ModelConfig, teacher: ModelConfig) -> Lessons:
    """Bind a recipe to two models, or say which loss cannot be had from them."""
    _check(teach, student, teacher)
    heads = nn.ModuleDict(_heads(teach, student, teacher))
    wanted = teach.wanted
    seen = Wanted(logits="logits" in wanted, grid="patches" in wanted)
    parts = "parts" in wanted
    makers = _makers(teach, heads)
    terms = tuple(Term(name, getattr(teach, f"{name}_weight"), makers[name]) for name in wanted)
    # Part tokens of the teacher are met by the student's own, or by stripes of its patches.
    own = parts and student.tokens == "pass"
    ours = replace(seen, parts=own, grid=seen.grid or (parts and not own))
    return Lessons(terms, heads, ours, replace(seen, parts=parts))


def _makers(teach: Teaching, heads: nn.ModuleDict) -> Mapping[str, Callable[[Seen, Seen], Tensor]]:
    return {
        "relation_kl": lambda ours, theirs: losses.relation_kl(
            ours.embedding, theirs.embedding, teach.relation_temperature
        ),
        "relation_mse": lambda ours, theirs: losses.relation_mse(ours.embedding, theirs.embedding),
        "cross_kl": lambda ours, theirs: losses.cross_kl(
            ours.embedding, theirs.embedding, teach.relation_temperature
        ),
        "logits": lambda ours, theirs: losses.logits_kl(
            _there(ours.logits), _there(theirs.logits), teach.logits_temperature
        ),
        "embedding": lambda ours, theirs: losses.direct(
            _mapped(heads, "embedding", ours.embedding), theirs.embedding, teach.embedding_measure
        ),
        "parts": lambda ours, theirs: losses.direct(
            _mapped(heads, "parts", _parts(ours)), _there(theirs.parts), "cosine"
        ),
        "patches": lambda ours, theirs: _patches(heads, _there(ours.grid), _there(theirs.grid)),
    }


def _parts(ours: Seen) -> Tensor:
    if ours.parts is not None:
        return ours.parts
    return losses.stripes(_there(ours.grid), PART_TOKENS)


def _patches(heads: nn.ModuleDict, ours: Tensor, theirs: Tensor) -> Tensor:
    """The teacher's map is brought to the student's grid: constants may be averaged freely."""
    rows, columns = ours.shape[2:]
    target = losses.resampled(theirs, (rows, columns)).permute(0, 2, 3, 1)
    return losses.direct(_mapped(heads, "patches", ours.permute(0, 2, 3, 1)), target, "cosine")


def _mapped(heads: nn.ModuleDict, name: str, values: Tensor) -> Tensor:
    if name not in heads:
        return values
    mapped: Tensor = heads[name](values)
    return mapped


def _there(value: Tensor | None) -> Tensor:
    assert value is not None, "checked when the lessons were bound"  # noqa: S101
    return value


def _heads(teach: Teaching, student: ModelConfig, teacher: ModelConfig) -> dict[str, nn.Module]:
    """In the teacher's space the student's own projection takes the place of the first."""
    heads: dict[str, nn.Module] = {}
    if teach.embedding_weight and not teach.teacher_space:
        heads["embedding"] = nn.Linear(student.embedding, teacher.embedding)
    if teach.parts_weight:
        heads["parts"] = nn.Linear(student.width, teacher.width)
    if teach.patches_weight:
        heads["patches"] = nn.Linear(student.width, teacher.width)
    return heads


def _check(teach: Teaching, student: ModelConfig, teacher: ModelConfig) -> None:
    if teach.parts_weight and teacher.tokens != "pass":
        raise ConfigError(
            "the part-token loss (teach.parts_weight) needs a PASS teacher; this one has "
            f"{teacher.tokens!r} tokens. Set teach.parts_weight=0, or use teach.patches_weight"
        )
    if teach.cross_kl_weight and student.embedding != teacher.embedding:
        raise ConfigError(
            f"teach.cross_kl_weight compares embeddings of {student.embedding} values with the "
            f"teacher's of {teacher.embedding}; set teach.teacher_space=true, or the weight to 0"
        )
    if teach.logits_weight and not teacher.classes:
        raise ConfigError(
            "the identity-logits loss (teach.logits_weight) needs a teacher with a classifier, and "
            "this one has none; set teach.logits_weight=0"
        )
