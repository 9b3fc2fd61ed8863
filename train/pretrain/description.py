"""What travels with a teacher's weights: how it is fed, and where it comes from."""

from __future__ import annotations

from ...core.data.pool import Pool
from ...core.preprocess import Preprocess
from .origin import Beginning
from .pretrain import PretrainOptions
from .recipe import PretrainRecipe


def preprocess_of(recipe: PretrainRecipe) -> Preprocess:
    """How the teacher wants its images when it is done: what it saw, without the accidents."""
    given = recipe.input
    return Preprocess(
        height=given.height, width=given.width, filter="bicubic", mean=given.mean, std=given.std
    )


def origin_of(
    options: PretrainOptions, recipe: PretrainRecipe, start: Beginning, pool: Pool
) -> dict[str, str]:
    """The part of the provenance that does not change from step to step."""
    return {
        "start": start.sentence,
        "recipe": recipe.title or options.recipe,
        "method": recipe.method,
        "data": f"{options.pool.name} ({pool.name}, {len(pool)} images)",
        "seed": str(options.seed),
    }
