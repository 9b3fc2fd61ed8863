"""The complete description of a model: enough to build it, nothing about its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from ..errors import ConfigError
from .token_schedule import TokenSchedule, as_schedule, check_schedule, tokens_by_block

Tokens = Literal["cls", "pass", "mean", "cls-drop-patch"]
"""cls: one class token; pass: a class and three part tokens; mean: no class token, mean of patches
(128 tokens at 256x128); cls-drop-patch: a class token and one patch fewer (128 tokens again)."""

Stem = Literal["patch", "ics"]
Fusion = Literal["cat", "mean"]
Neck = Literal["none", "single", "multi"]
Trunk = Literal["vit", "repvit_m1_0", "mobilenetv4_conv_small", "mobilenetv4_conv_medium"]
"""vit: a transformer; the others are timm's convolutional networks of that name."""

NeckFeature = Literal["before", "after"]

LARGEST = 1 << 16
"""Of every number that shapes a network."""


@dataclass(frozen=True)
class ModelConfig:
    width: int = 384
    depth: int = 12
    heads: int = 6
    height_px: int = 256
    width_px: int = 128
    patch: int = 16
    stem: Stem = "patch"
    tokens: Tokens = "cls"
    fusion: Fusion = "cat"
    neck: Neck = "single"
    neck_feature: NeckFeature = "before"
    branch_norm: bool = False
    """Bring each token to unit length after its own neck, before fusing (PASS without labels)."""
    classes: int = 0
    cameras: int = 0
    camera_weight: float = 3.0
    drop_path: float = 0.0
    token_schedule: TokenSchedule = ()
    """(4, 96), (8, 64): after four blocks the 96 patches stay that the class token attends to."""
    projection: int = 0
    """Above 0: an affine map from the chosen side of the neck to so many values, which makes the
    embedding one of another model's space (docs/distill.md)."""
    trunk: Trunk = "vit"
    """A convolutional one has a `patch` of what one cell of its last map covers, and no blocks;
    the map's mean stands where a class token would."""

    def __post_init__(self) -> None:
        self._check_numbers()
        if self.height_px % self.patch or self.width_px % self.patch:
            raise ConfigError(
                f"an image of {self.height_px}x{self.width_px} does not divide into patches of "
                f"{self.patch}; choose a height and width that are multiples of {self.patch}"
            )
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} does not divide into {self.heads} heads")
        if self.neck == "multi" and self.tokens != "pass":
            raise ConfigError("a neck per token needs part tokens; choose tokens='pass'")
        if self.neck == "none" and (self.neck_feature == "after" or self.branch_norm):
            raise ConfigError("there is no neck to take the embedding after; choose 'before'")
        if self.branch_norm and self.neck != "multi":
            raise ConfigError("branch_norm needs one neck per token; choose neck='multi'")
        if self.stem == "ics" and self.patch % 2:
            raise ConfigError(f"the convolutional stem halves the patch of {self.patch} first")
        object.__setattr__(self, "token_schedule", as_schedule(self.token_schedule))
        patches = self.tokens_in_blocks - self.leading_tokens
        check_schedule(self.token_schedule, self.tokens, self.depth, patches)
        self._check_trunk()
        if self.projection < 0:
            raise ConfigError(f"projection is a number of values or 0, not {self.projection}")

    def _check_numbers(self) -> None:
        """A damaged or foreign file may say anything."""
        for name in ("width", "depth", "heads", "height_px", "width_px", "patch"):
            value, least = getattr(self, name), 0 if name == "depth" else 1
            if not (isinstance(value, int) and least <= value <= LARGEST):
                raise ConfigError(
                    f"{name} is a whole number from {least} to {LARGEST}, not {value!r}"
                )

    def _check_trunk(self) -> None:
        if self.trunk not in get_args(Trunk):
            raise ConfigError(
                f"there is no trunk {self.trunk!r}; choose one of {', '.join(get_args(Trunk))}"
            )
        plain = self.tokens == "cls" and self.stem == "patch" and not self.cameras
        if self.convolutional and not (plain and self.depth == 0):
            raise ConfigError(
                f"{self.trunk} is convolutional: it has no tokens, stem, blocks or camera "
                "embedding to choose"
            )

    @property
    def convolutional(self) -> bool:
        return self.trunk != "vit"

    @property
    def title(self) -> str:
        """What the network is, in a few words."""
        if self.convolutional:
            return f"{self.trunk}, {self.width} wide"
        return f"{self.depth} blocks of width {self.width}"

    @property
    def grid(self) -> tuple[int, int]:
        return self.height_px // self.patch, self.width_px // self.patch

    @property
    def tokens_in_blocks(self) -> int:
        """How many tokens one image becomes: those of the first block."""
        rows, columns = self.grid
        dropped = 1 if self.tokens == "cls-drop-patch" else 0
        return rows * columns - dropped + self.leading_tokens

    @property
    def leading_tokens(self) -> int:
        """The class token and the part tokens, which come before the patches."""
        return {"cls": 1, "pass": 4, "mean": 0, "cls-drop-patch": 1}[self.tokens]

    @property
    def tokens_by_block(self) -> tuple[int, ...]:
        """How many tokens go into each block."""
        return tokens_by_block(
            self.token_schedule, self.tokens_in_blocks, self.leading_tokens, self.depth
        )

    @property
    def embedding(self) -> int:
        """The number of values in one embedding."""
        return self.projection or self.features

    @property
    def features(self) -> int:
        """The number of values on either side of the neck."""
        return self.width * (2 if self.tokens == "pass" and self.fusion == "cat" else 1)

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self)
        # As JSON gives it back, so that a stored configuration equals the one it was made of.
        return {**values, "token_schedule": [list(row) for row in self.token_schedule]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ConfigError(
                f"unknown model settings {unknown}; this version knows {sorted(known)}"
            )
        return cls(**values)
