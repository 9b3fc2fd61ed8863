"""A pre-training recipe: every number of the run, checked before anything is loaded."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ...core.errors import ConfigError
from ...core.models.config import ModelConfig
from ...core.models.registry import config_of, names
from ..recipe import Fraction, Momentum, NotNegative, Positive, Section

MANY = 1 << 24
"""More than anything that is counted here can be."""
Count = Annotated[int, Field(ge=1, le=MANY)]
Pixels = Annotated[int, Field(ge=16, le=1024)]
Span = tuple[Positive, Positive]
Method = Literal["personvit", "dino"]

LR_IMAGES = 256
"""The batch that a learning rate is quoted for; the published codes scale linearly from it."""


def trainable() -> tuple[str, ...]:
    """The architectures that have what the published pre-training has."""
    configs = {name: config_of(name) for name in names()}
    return tuple(
        name
        for name, config in configs.items()
        if config.tokens == "cls" and config.stem == "patch" and not config.convolutional
    )


class Input(Section):
    """The global crops, and how pixels become numbers."""

    height: Pixels = 256
    width: Pixels = 128
    mean: tuple[Fraction, Fraction, Fraction] = (0.485, 0.456, 0.406)
    std: tuple[Positive, Positive, Positive] = (0.229, 0.224, 0.225)


class Views(Section):
    """Two global crops and some local ones of every image."""

    local_count: Annotated[int, Field(ge=0, le=32)] = 8
    local_height: Pixels = 128
    local_width: Pixels = 64
    global_scale: Span = (0.4, 1.0)
    """Share of the image's area."""
    local_scale: Span = (0.1, 0.8)
    ratio: Span = (0.375, 2 / 3)
    """Width by height of what is cut out."""
    flip: Fraction = 0.5
    jitter: Fraction = 0.8
    """How often colours are changed, by at most the four amounts that follow."""
    brightness: Fraction = 0.4
    contrast: Fraction = 0.4
    saturation: Fraction = 0.2
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    cast: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How far the colour of the light differs: each channel's gain in natural logarithms, at most.
    No published recipe has it; it makes up for cameras whose colours differ."""
    gray: Fraction = 0.2
    blur_global1: Fraction = 1.0
    blur_global2: Fraction = 0.1
    blur_local: Fraction = 0.5
    blur_radius: Span = (0.1, 2.0)
    solarize: Fraction = 0.2
    """How often the second global crop is."""

    @model_validator(mode="after")
    def _ordered(self) -> Views:
        for name in ("global_scale", "local_scale", "ratio", "blur_radius"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is [smallest, largest], not [{low:g}, {high:g}]")
        if max(self.global_scale[1], self.local_scale[1]) > 1:
            raise ValueError("a crop's scale is its share of the image, at most 1")
        return self


class Masks(Section):
    """Which patches of a global crop the student does not see."""

    ratio: tuple[Fraction, ...] = (0.0, 0.3)
    """One of them is chosen for each crop."""
    variance: tuple[Fraction, ...] = (0.0, 0.2)
    """The chosen ratio is uniform within this distance of itself."""
    shape: Literal["block", "random"] = "block"
    aspect: Span = (0.3, 1 / 0.3)
    """Height by width of a block."""
    start_epoch: Annotated[int, Field(ge=0)] = 0
    """Epochs without masks before, for networks that cannot do with them at first."""

    @model_validator(mode="after")
    def _possible(self) -> Masks:
        if not self.ratio:
            raise ValueError("masks.ratio is empty; [0] masks nothing")
        if len(self.ratio) != len(self.variance):
            raise ValueError(
                f"{len(self.ratio)} ratios and {len(self.variance)} variances; give one for each"
            )
        for ratio, variance in zip(self.ratio, self.variance, strict=True):
            if variance > ratio or ratio + variance >= 1:
                raise ValueError(
                    f"a ratio of {ratio:g} with variance {variance:g} leaves 0 to 1, where masks "
                    "can be drawn; lower the variance or the ratio"
                )
        if self.aspect[0] > self.aspect[1]:
            raise ValueError("aspect is [smallest, largest]")
        return self


class Head(Section):
    """The projection that the class token and the patches share."""

    outputs: Annotated[int, Field(ge=2, le=MANY)] = 8192
    hidden: Count = 2048
    bottleneck: Count = 256
    layers: Annotated[int, Field(ge=1, le=8)] = 3
    shared: bool = True
    """Whether class token and patches share the last layer too."""
    fixed_norm: bool = False
    """Whether the rows of the last layer keep unit length (norm_last_layer in DINO)."""
    frozen_epochs: Annotated[float, Field(ge=0, le=MANY)] = 1.0
    """How long the last layer keeps its first weights."""


class Loss(Section):
    dino_weight: NotNegative = 1.0
    mim_weight: NotNegative = 1.0
    student_temperature: Positive = 0.1

    @model_validator(mode="after")
    def _something_to_learn(self) -> Loss:
        if not (self.dino_weight or self.mim_weight):
            raise ValueError("all weights of the loss are 0: nothing to learn from")
        return self


class Teacher(Section):
    """A moving average of the student, centred and sharpened."""

    momentum: Momentum = 0.996
    momentum_end: Fraction = 1.0
    temperature_start: Positive = 0.04
    temperature: Positive = 0.07
    patch_temperature_start: Positive = 0.04
    patch_temperature: Positive = 0.07
    temperature_warmup_epochs: Annotated[int, Field(ge=0, le=MANY)] = 30
    centre_momentum: Fraction = 0.9
    patch_centre: Literal["all", "masked"] = "all"
    """Over which of the teacher's patches their centre is taken."""


class OptimiserSettings(Section):
    """AdamW; the rates are for 256 images and grow with the batch."""

    lr: Positive = 5e-4
    lr_floor: NotNegative = 1e-6
    """Where the cosine ends; this one does not grow with the batch."""
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    weight_decay: NotNegative = 0.04
    weight_decay_end: NotNegative = 0.4
    clip_norm: NotNegative = 3.0
    """0 clips nothing."""
    clip: Literal["parameter", "global"] = "parameter"
    """The published codes clip every tensor by itself."""


class Schedule(Section):
    epochs: Count = 300
    warmup_epochs: NotNegative = 10.0

    @model_validator(mode="after")
    def _warmup_fits(self) -> Schedule:
        if self.warmup_epochs > self.epochs:
            raise ValueError(
                f"warmup_epochs ({self.warmup_epochs:g}) is longer than epochs ({self.epochs})"
            )
        return self


class ModelSettings(Section):
    architecture: str = "vit_small_16"
    start: Literal["published", "scaled"] = "published"
    """Random numbers of timm's spread, or scaled so that narrow networks learn at once."""
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Of the student; the teacher drops nothing."""

    @model_validator(mode="after")
    def _known(self) -> ModelSettings:
        if self.architecture not in trainable():
            raise ValueError(
                f"{self.architecture!r} is no architecture with a class token and a plain stem; "
                f"choose one of {', '.join(trainable())}"
            )
        return self


class Batch(Section):
    size: Count = 1024
    """Images per step of the optimiser, over all processes."""
    accumulate: Count = 1
    """In how many parts, one after the other, each process takes its share."""


class PretrainRecipe(Section):
    """PersonViT's pre-training, as far as a file does not say otherwise."""

    title: str = ""
    method: Method = "personvit"
    """`dino` is the same without masks and without their part of the loss."""
    input: Input = Input()
    views: Views = Views()
    masks: Masks = Masks()
    head: Head = Head()
    loss: Loss = Loss()
    teacher: Teacher = Teacher()
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: Schedule = Schedule()
    model: ModelSettings = ModelSettings()
    batch: Batch = Batch()

    @model_validator(mode="after")
    def _fits_together(self) -> PretrainRecipe:
        try:
            patch = self.model_config_of().patch
        except ConfigError as problem:
            raise ValueError(str(problem)) from None
        local = (self.views.local_height, self.views.local_width)
        if self.views.local_count and any(side % patch for side in local):
            raise ValueError(
                f"local crops of {local[0]}x{local[1]} do not divide into patches of {patch}"
            )
        if self.method == "dino" and not self.loss.dino_weight:
            raise ValueError("method dino has nothing to learn from with loss.dino_weight = 0")
        if self.batch.size % self.batch.accumulate:
            raise ValueError(
                f"a batch of {self.batch.size} does not divide into {self.batch.accumulate} parts"
            )
        return self

    @property
    def masked(self) -> bool:
        """Whether any patch will ever be masked."""
        return self.mim_weight > 0 and max(self.masks.ratio) > 0

    @property
    def mim_weight(self) -> float:
        return self.loss.mim_weight if self.method == "personvit" else 0.0

    def with_method(self, method: Method) -> PretrainRecipe:
        return self.model_validate({**self.to_dict(), "method": method})

    def model_config_of(self) -> ModelConfig:
        """The student: no neck, since nothing is told apart yet."""
        return config_of(
            self.model.architecture,
            height_px=self.input.height,
            width_px=self.input.width,
            drop_path=self.model.drop_path,
            neck="none",
        )

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")
