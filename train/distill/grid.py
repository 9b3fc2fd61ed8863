"""What a token schedule leaves of a recipe: lessons of the whole grid of patches go."""

from __future__ import annotations

from collections.abc import Sequence

from ...core.errors import ConfigError
from ...core.models.config import ModelConfig
from .recipe import DistillRecipe, Teaching


def with_schedules(
    recipe: DistillRecipe, student: ModelConfig, teacher: ModelConfig, changes: Sequence[str]
) -> tuple[DistillRecipe, list[str]]:
    """The recipe that can be followed, and what to tell about it.

    `changes` are those of the command line: what was asked for there is not left out in silence.
    """
    lost = [f"{name}_weight" for name in _without_grid(recipe.teach, student, teacher)]
    if not lost:
        return recipe, []
    who = "student" if student.token_schedule else "teacher"
    why = f"the {who}'s token schedule takes patches away, and"
    for change in changes:
        if change.partition("=")[0].strip() in {f"teach.{name}" for name in lost}:
            raise ConfigError(
                f"{why} --set {change} asks for a loss that needs the whole grid; leave one of "
                "them out"
            )
    teach = recipe.teach.model_copy(update=dict.fromkeys(lost, 0.0))
    if not teach.wanted and not recipe.loss.wanted:
        raise ConfigError(
            f"{why} all that the recipe teaches needs the whole grid; give another weight of "
            "[teach] a value above 0, such as --set teach.relation_kl_weight=1"
        )
    names = " and ".join(f"teach.{name}" for name in lost)
    return recipe.model_copy(update={"teach": teach}), [
        f"{why} the loss of {names} needs the whole grid, so it is left out"
    ]


def _without_grid(teach: Teaching, student: ModelConfig, teacher: ModelConfig) -> tuple[str, ...]:
    ours, theirs = bool(student.token_schedule), bool(teacher.token_schedule)
    # A PASS student's part tokens always stay; others answer with stripes of the grid.
    gone = {"patches": ours or theirs, "parts": ours and student.tokens != "pass"}
    return tuple(name for name in teach.wanted if gone.get(name))
