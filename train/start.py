"""The model a run starts from: weights of any family, or an architecture drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..core.errors import ConfigError
from ..core.models.config import ModelConfig
from ..core.models.registry import config_of, names
from ..core.models.vit import ReidVit, build
from ..core.preprocess import Preprocess
from .initial import draw, drawn
from .recipe import Recipe

if TYPE_CHECKING:
    from ..core.models.weights import Loaded

DRAWN = ("classifier.", "projection.")
"""What depends on the data and the teacher, and is drawn anew for others."""


@dataclass(frozen=True)
class Origin:
    """Where the weights come from, before they are given a classifier for this data set."""

    config: ModelConfig
    preprocess: Preprocess
    loaded: Loaded | None
    sentence: str
    provenance: dict[str, str]


def origin(ref: str, recipe: Recipe) -> Origin:
    """Find the weights and settle the input size."""
    size = _size(recipe)
    if ref in names():
        config = config_of(ref, **size)
        preprocess = _testing(config, recipe)
        sentence = f"{ref}: no weights given, so it starts from random numbers"
        return Origin(config, preprocess, None, sentence, {"start": f"random {ref}"})
    from ..core.models.weights import ReadOptions, load_weights

    asked = (size["height_px"], size["width_px"]) if size else None
    loaded = load_weights(ref, ReadOptions(size=asked))
    config = loaded.config
    tokens = "" if config.convolutional else f", {config.tokens} tokens"
    sentence = f"{ref}: {config.title}{tokens}"
    preprocess = _testing(config, recipe)
    return Origin(config, preprocess, loaded, sentence, {**loaded.provenance, "start": ref})


def training_preprocess(start: Origin, recipe: Recipe) -> Preprocess:
    """As in testing, but resized with the recipe's training filter."""
    return replace(start.preprocess, filter=recipe.input.train_filter)


def training_config(
    start: Origin, recipe: Recipe, classes: int, projection: int = 0
) -> ModelConfig:
    """The weights' configuration with what training needs: a neck, classes, drop path.

    Training ends a stay in a teacher's space, so a projection stays only where it is asked for.
    """
    changes: dict[str, Any] = {
        "classes": classes,
        "drop_path": recipe.model.drop_path,
        "projection": projection,
    }
    if start.config.neck == "none":
        changes["neck"] = "single"
    if recipe.model.neck_feature is not None:
        changes["neck_feature"] = recipe.model.neck_feature
    return replace(start.config, **changes)


def starting_model(start: Origin, config: ModelConfig, seed: int, share: float = 1) -> ReidVit:
    """Draw the model, then put the weights in; only the heads (and a new neck) stay drawn.

    With a share below 1, matrices lie so far from random ones towards the given ones. The random
    ones are those that `personvit-train new` and a pre-training of this seed begin with.
    """
    torch.manual_seed(seed)
    model = build(config)
    if start.loaded is None:
        draw(model, seed)
        return model
    # A student that goes on in its teacher's space keeps its way there.
    stays = start.config.projection == config.projection
    fresh = tuple(name for name in DRAWN if not (stays and name == "projection."))
    given = {
        name: value
        for name, value in start.loaded.model.state_dict().items()
        if not name.startswith(fresh)
    }
    if share < 1:
        began = replace(start.config, classes=0, projection=0)
        given |= _between(drawn(began, seed).state_dict(), given, share)
    missing, unexpected = model.load_state_dict(given, strict=False)
    allowed = (*DRAWN, "bottleneck") if start.config.neck == "none" else DRAWN
    missing = [name for name in missing if not name.startswith(allowed)]
    if missing or unexpected:
        raise ConfigError(
            f"the weights lack {missing} and have {unexpected}: not this architecture"
        )
    return model


def _between(
    random: Mapping[str, Tensor], given: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """The matrices among them; norms, biases and their statistics stay as they are given."""
    return {
        name: torch.lerp(random[name], value, share)
        for name, value in given.items()
        if name in random and value.dim() > 1
    }


def _testing(config: ModelConfig, recipe: Recipe) -> Preprocess:
    """What travels with the trained weights: the recipe's, whatever they were pre-trained with."""
    given = recipe.input
    return Preprocess(
        height=config.height_px,
        width=config.width_px,
        filter=given.test_filter,
        mean=given.mean,
        std=given.std,
    )


def _size(recipe: Recipe) -> dict[str, int]:
    if recipe.input.height is None or recipe.input.width is None:
        return {}
    return {"height_px": recipe.input.height, "width_px": recipe.input.width}
