"""How a model is quantised, as a file a person can read, edit and pass back with `--recipe`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import tomllib

from ..core.errors import ConfigError
from ..core.files import write_atomically
from ..core.models.config import ModelConfig
from .layers import default_layers, first_layer

Method = Literal["max", "entropy", "percentile", "mse", "training"]
"""training: the ranges that quantisation-aware training left in the weights file."""


@dataclass(frozen=True)
class Recipe:
    """Linear-only W8A8 unless told otherwise; `high_precision` names the layers that stay float."""

    calibration: Method = "max"
    percentile: float = 99.99
    smooth: float = 0.0
    """SmoothQuant's alpha: 0 leaves activations as they are, 1 moves all difficulty to weights."""
    patch_convolution: bool = False
    int8_attention: bool = False
    high_precision: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.calibration not in get_args(Method):
            raise ConfigError(
                f"recipe: calibration {self.calibration!r} is unknown; "
                f"choose one of {', '.join(get_args(Method))}"
            )
        if not 90 <= self.percentile <= 100:
            raise ConfigError(f"recipe: percentile {self.percentile} must lie between 90 and 100")
        if not 0 <= self.smooth <= 1:
            raise ConfigError(f"recipe: smooth {self.smooth} must lie between 0 and 1")

    def int8_layers(self, config: ModelConfig) -> frozenset[str]:
        """The layers that run in INT8; a name the model does not have is an error."""
        if config.convolutional and (self.smooth or self.int8_attention):
            raise ConfigError(
                f"recipe: {config.trunk} is convolutional, so there is no attention, and no "
                "LayerNorm to smooth; set int8_attention = false and smooth = 0"
            )
        layers, first = default_layers(config), first_layer(config)
        known = {*layers, first}
        if strange := sorted(set(self.high_precision) - known):
            raise ConfigError(
                f"recipe: high_precision names {strange}, which this model does not have; "
                f"its layers are called like {layers[0]} and {first}"
            )
        chosen = set(layers) | ({first} if self.patch_convolution else set())
        return frozenset(chosen - set(self.high_precision))

    @property
    def looks_at_crops(self) -> bool:
        """Whether any range is measured by the export itself."""
        return self.calibration != "training" or self.int8_attention

    def ranges_from(self, crops: int) -> str:
        """Where the ranges come from, for a person."""
        if self.calibration != "training":
            return f"{self.calibration} of {crops} crops"
        own = "training: those in the weights file, nothing recalibrated"
        return (
            f"{own}; attention's are the largest of {crops} crops" if self.int8_attention else own
        )

    def protecting(self, layers: tuple[str, ...]) -> Recipe:
        """The same recipe with some more layers in high precision."""
        return replace(self, high_precision=tuple(sorted({*self.high_precision, *layers})))


def to_toml(recipe: Recipe) -> str:
    lines = ["# A quantisation recipe: edit it and give it back with --recipe."]
    for key, value in asdict(recipe).items():
        lines.append(f"{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def save_recipe(path: Path, recipe: Recipe) -> None:
    write_atomically(path, to_toml(recipe))


def load_recipe(path: Path) -> Recipe:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise ConfigError(f"{path}: not a recipe this tool can read: {problem}") from None
    return recipe_of(values, str(path))


def recipe_of(values: dict[str, Any], where: str) -> Recipe:
    """A recipe from plain values, each checked against the type it must have."""
    known = {field.name: type(getattr(Recipe(), field.name)) for field in fields(Recipe)}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown setting {key!r}; known are {', '.join(known)}")
        wanted = list if known[key] is tuple else known[key]
        accepted = (int, float) if wanted is float else wanted
        if not isinstance(value, accepted) or (wanted is not bool and isinstance(value, bool)):
            raise ConfigError(f"{where}: {key} must be a {wanted.__name__}, not {value!r}")
    layers = values.get("high_precision", [])
    if strange := [layer for layer in layers if not isinstance(layer, str)]:
        raise ConfigError(f"{where}: high_precision must list layer names, not {strange[0]!r}")
    try:
        return Recipe(**{**values, "high_precision": tuple(layers)})
    except ConfigError as problem:
        raise ConfigError(f"{where}: {problem}") from None


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + "".join(f'\n    "{item}",' for item in value) + ("\n]" if value else "]")
    return f'"{value}"' if isinstance(value, str) else repr(value)
