"""What a pre-training run starts from: random numbers, or the backbone of some weights."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...core.errors import ConfigError
from ...core.models.vit import ReidVit
from ..initial import drawn
from .recipe import PretrainRecipe
from .step import Pretrainer

MUST_MATCH = ("width", "depth", "heads", "patch", "stem", "tokens")


@dataclass(frozen=True)
class Beginning:
    """A sentence for the record, and tensors where there are some."""

    sentence: str
    backbone: dict[str, Tensor] | None = None


def beginning(ref: str | None, recipe: PretrainRecipe, seed: int) -> Beginning:
    """Find the weights and see that they fit the recipe's network."""
    architecture, config = recipe.model.architecture, recipe.model_config_of()
    if ref is None and recipe.model.start == "published":
        return Beginning(f"{architecture} with random numbers")
    if ref is None:
        sentence = f"{architecture} with random numbers, scaled for its width"
        return Beginning(sentence, _backbone(drawn(config, seed)))
    from ...core.models.weights import ReadOptions, load_weights

    loaded = load_weights(ref, ReadOptions(size=(config.height_px, config.width_px)))
    wrong = [
        f"{name} {getattr(loaded.config, name)} (the recipe has {getattr(config, name)})"
        for name in MUST_MATCH
        if getattr(loaded.config, name) != getattr(config, name)
    ]
    if wrong:
        raise ConfigError(
            f"--init {ref} has {', '.join(wrong)}; set model.architecture to what the weights "
            "are, or leave --init out"
        )
    return Beginning(f"{architecture} with the backbone of {ref}", _backbone(loaded.model))


def _backbone(model: ReidVit) -> dict[str, Tensor]:
    return {
        name.removeprefix("backbone."): value
        for name, value in model.state_dict().items()
        if name.startswith("backbone.")
    }


def fill_both(trainer: Pretrainer, found: Beginning) -> None:
    """Student and teacher start alike; heads and the mask token stay as they were drawn."""
    if found.backbone is None:
        return
    trainer.teacher.backbone.load_state_dict(found.backbone)
    trainer.student.backbone.load_state_dict(found.backbone, strict=False)
