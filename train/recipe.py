"""A fine-tuning recipe: every number of the loop, checked before anything is loaded."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Filter = Literal["bicubic", "bilinear"]
NotNegative = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """Part of a recipe: nothing unknown in it, and true is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, values: Any) -> Any:
        for name, field in cls.model_fields.items():
            given = values.get(name) if isinstance(values, dict) else None
            if isinstance(given, bool) and field.annotation is not bool:
                raise ValueError(f"{name} cannot be {str(given).lower()}")
        return values


class Input(Section):
    """What the network sees. Without a size, the weights' own is kept."""

    height: Annotated[int, Field(ge=16, le=1024)] | None = None
    width: Annotated[int, Field(ge=16, le=1024)] | None = None
    train_filter: Filter = "bicubic"
    test_filter: Filter = "bilinear"
    mean: tuple[Fraction, Fraction, Fraction] = (0.5, 0.5, 0.5)
    std: tuple[Positive, Positive, Positive] = (0.5, 0.5, 0.5)
    """Upstream pre-trains with ImageNet's statistics and fine-tunes with these."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Input:
        if (self.height is None) != (self.width is None):
            raise ValueError("give both height and width, or neither")
        return self


class BatchShape(Section):
    """P identities with K crops each."""

    identities: Annotated[int, Field(ge=2)] = 16
    images: Annotated[int, Field(ge=2)] = 4


class Augment(Section):
    flip: Fraction = 0.5
    pad: Annotated[int, Field(ge=0, le=64)] = 10
    erase: Fraction = 0.5
    erase_area: tuple[Positive, Positive] = (0.02, 1 / 3)

    @model_validator(mode="after")
    def _ordered(self) -> Augment:
        low, high = self.erase_area
        if not low <= high < 1:
            raise ValueError("erase_area is [smallest, largest] share of the image, below 1")
        return self


class ModelSettings(Section):
    """What training changes in the model; the rest comes with the weights."""

    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.1
    neck_feature: Literal["before", "after"] | None = None
    given_share: Fraction = 1.0
    """Not published for ReID: less than 1 starts from so much of the given matrices and, for the
    rest, from random numbers of the run's seed (shrink and perturb, Ash and Adams 2020)."""


class Loss(Section):
    identity_weight: NotNegative = 1.0
    triplet_weight: NotNegative = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    triplet_margin: NotNegative | None = None
    """None is the soft margin."""
    contrastive_weight: NotNegative = 0.0
    """Not published: supervised contrastive, for networks that start from random numbers."""
    temperature: Positive = 0.3

    @model_validator(mode="after")
    def _something_to_learn(self) -> Loss:
        if not (self.identity_weight or self.triplet_weight or self.contrastive_weight):
            raise ValueError("all weights of the loss are 0: nothing to learn from")
        return self


class OptimiserSettings(Section):
    name: Literal["sgd", "adamw"] = "sgd"
    lr: Positive = 4e-4
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    weight_decay: NotNegative = 1e-4
    bias_weight_decay: NotNegative = 1e-4
    bias_lr_factor: Positive = 2.0
    clip_norm: Positive | None = None


class Schedule(Section):
    epochs: Annotated[int, Field(ge=1)] = 120
    warmup_epochs: NotNegative = 20.0
    warmup_start: Fraction = 0.01
    floor: Fraction = 0.002
    per: Literal["epoch", "step"] = "epoch"

    @model_validator(mode="after")
    def _warmup_fits(self) -> Schedule:
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs ({self.warmup_epochs:g}) is longer than epochs ({self.epochs})"
            )
        return self


class Recipe(Section):
    """The published PersonViT recipe, as far as a file does not say otherwise."""

    title: str = ""
    input: Input = Input()
    batch: BatchShape = BatchShape()
    augment: Augment = Augment()
    model: ModelSettings = ModelSettings()
    loss: Loss = Loss()
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: Schedule = Schedule()

    @property
    def batch_size(self) -> int:
        return self.batch.identities * self.batch.images

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")
