"""Every architecture by name: plain functions from overrides to a configuration."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ConfigError
from .config import ModelConfig

Architecture = Callable[..., ModelConfig]
_ARCHITECTURES: dict[str, Architecture] = {}


def register(architecture: Architecture) -> Architecture:
    """Make a function known under its own name."""
    _ARCHITECTURES[architecture.__name__] = architecture
    return architecture


def names() -> tuple[str, ...]:
    return tuple(sorted(_ARCHITECTURES))


def describe(name: str) -> str:
    """The first line of an architecture's docstring."""
    return (_find(name).__doc__ or "").strip().splitlines()[0]


def config_of(name: str, **overrides: object) -> ModelConfig:
    """The configuration of a named architecture, with some settings replaced."""
    return _find(name)(**overrides)


def _find(name: str) -> Architecture:
    if name not in _ARCHITECTURES:
        raise ConfigError(f"no architecture is named {name!r}; choose one of {', '.join(names())}")
    return _ARCHITECTURES[name]


def _sized(width: int, overrides: dict[str, object], **settings: object) -> ModelConfig:
    heads = max(1, width // 64)
    return ModelConfig.from_dict({"width": width, "heads": heads, **settings, **overrides})


@register
def vit_nano_16(**overrides: object) -> ModelConfig:
    """6 blocks of width 64 (0.4 M weights): the student of the demonstration size."""
    return _sized(64, overrides, depth=6)


@register
def vit_pico_16(**overrides: object) -> ModelConfig:
    """3 blocks of width 64 in 4 heads (0.2 M weights): for pre-training in minutes."""
    return _sized(64, {"heads": 4, **overrides}, depth=3)


@register
def vit_micro_16(**overrides: object) -> ModelConfig:
    """12 narrow blocks (width 128, 2.5 M weights) for demonstrations on a CPU."""
    return _sized(128, overrides)


@register
def vit_tiny_16(**overrides: object) -> ModelConfig:
    """ViT-T/16 with a class token (PersonViT's layout, 5.5 M weights)."""
    return _sized(192, overrides)


@register
def vit_narrow_16(**overrides: object) -> ModelConfig:
    """12 blocks of width 256 with a class token (9.7 M weights), between ViT-T and ViT-S."""
    return _sized(256, overrides)


@register
def vit_small_16_half(**overrides: object) -> ModelConfig:
    """The first student to try after ViT-S/16: its width, half its blocks (11.0 M weights)."""
    return _sized(384, overrides, depth=6)


@register
def vit_small_16(**overrides: object) -> ModelConfig:
    """ViT-S/16 with a class token (PersonViT, 21.6 M weights)."""
    return _sized(384, overrides)


@register
def vit_base_16(**overrides: object) -> ModelConfig:
    """ViT-B/16 with a class token (PersonViT, 85.7 M weights)."""
    return _sized(768, overrides)


@register
def vit_micro_16_ics(**overrides: object) -> ModelConfig:
    """The narrow network behind a convolutional stem, which learns from scratch in minutes."""
    return _sized(128, overrides, stem="ics")


@register
def vit_small_16_ics(**overrides: object) -> ModelConfig:
    """ViT-S/16 behind TransReID-SSL's convolutional stem."""
    return _sized(384, overrides, stem="ics")


@register
def vit_base_16_ics(**overrides: object) -> ModelConfig:
    """ViT-B/16 behind TransReID-SSL's convolutional stem."""
    return _sized(768, overrides, stem="ics")


@register
def pass_small_16(**overrides: object) -> ModelConfig:
    """ViT-S/16 with a class and three part tokens (PASS), 768 values per embedding."""
    return _sized(384, overrides, tokens="pass", neck="multi")


@register
def pass_base_16(**overrides: object) -> ModelConfig:
    """ViT-B/16 with a class and three part tokens (PASS), 1536 values per embedding."""
    return _sized(768, overrides, tokens="pass", neck="multi")


@register
def vit_micro_16_128_mean(**overrides: object) -> ModelConfig:
    """The demonstration size without a class token: exactly 128 tokens at 256x128."""
    return _sized(128, overrides, tokens="mean")


@register
def vit_tiny_16_128_mean(**overrides: object) -> ModelConfig:
    """ViT-T/16 without a class token: exactly 128 tokens at 256x128."""
    return _sized(192, overrides, tokens="mean")


@register
def vit_small_16_128_mean(**overrides: object) -> ModelConfig:
    """ViT-S/16 without a class token: exactly 128 tokens at 256x128."""
    return _sized(384, overrides, tokens="mean")


@register
def vit_base_16_128_mean(**overrides: object) -> ModelConfig:
    """ViT-B/16 without a class token: exactly 128 tokens at 256x128."""
    return _sized(768, overrides, tokens="mean")


@register
def vit_tiny_16_128_drop(**overrides: object) -> ModelConfig:
    """ViT-T/16 whose class token takes the place of the top-left patch: 128 tokens."""
    return _sized(192, overrides, tokens="cls-drop-patch")


@register
def vit_small_16_128_drop(**overrides: object) -> ModelConfig:
    """ViT-S/16 whose class token takes the place of the top-left patch: 128 tokens."""
    return _sized(384, overrides, tokens="cls-drop-patch")


@register
def vit_base_16_128_drop(**overrides: object) -> ModelConfig:
    """ViT-B/16 whose class token takes the place of the top-left patch: 128 tokens."""
    return _sized(768, overrides, tokens="cls-drop-patch")


def _convolutional(trunk: str, width: int, overrides: dict[str, object]) -> ModelConfig:
    settings = {"trunk": trunk, "width": width, "depth": 0, "heads": 1, "patch": 32}
    return ModelConfig.from_dict({**settings, **overrides})


@register
def repvit_m1_0(**overrides: object) -> ModelConfig:
    """RepViT-M1.0, a light convolutional network (6.4 M weights, 448 values per embedding)."""
    return _convolutional("repvit_m1_0", 448, overrides)


@register
def mobilenetv4_conv_small(**overrides: object) -> ModelConfig:
    """MobileNetV4-Conv-Small, convolutional (1.3 M weights, 960 values per embedding)."""
    return _convolutional("mobilenetv4_conv_small", 960, overrides)


@register
def mobilenetv4_conv_medium(**overrides: object) -> ModelConfig:
    """MobileNetV4-Conv-Medium, convolutional (7.2 M weights, 960 values per embedding)."""
    return _convolutional("mobilenetv4_conv_medium", 960, overrides)
