"""How fast a device could at most run our transformers: operations over peak, bytes over bandwidth.

No engine reaches it: a layer's results are counted as never leaving the chip, launches as free, and
norms, softmax and GELU as no work. It is a bound for comparing, and a check of one's clock.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.models.config import ModelConfig

PIXELS = 3 * 16 * 16
_BYTES = {"fp16": 2, "bf16": 2, "int8": 1, "fp8": 1}


@dataclass(frozen=True)
class VitSize:
    """What the work of one crop depends on."""

    width: int
    tokens: tuple[int, ...]
    """Those that go into each block; those that the next takes are made by it."""
    patches: int
    pixels: int = PIXELS
    """Values of one patch."""
    image: int = 3 * 256 * 128
    """Bytes of one crop."""

    @classmethod
    def of(cls, config: ModelConfig) -> VitSize:
        rows, columns = config.grid
        return cls(
            width=config.width,
            tokens=config.tokens_by_block,
            patches=rows * columns,
            pixels=3 * config.patch**2,
            image=3 * config.height_px * config.width_px,
        )

    @property
    def operations(self) -> int:
        """Of all tokens through all blocks, multiplications and additions apart; our graphs leave
        out most of the last block, which is theirs to gain."""
        made = (*self.tokens[1:], *self.tokens[-1:])
        steps = list(zip(self.tokens, made, strict=True))
        linear = sum((3 * tokens + 9 * stay) * self.width**2 for tokens, stay in steps)
        attention = sum(2 * tokens * stay * self.width for tokens, stay in steps)
        return 2 * (linear + attention + self.patches * self.pixels * self.width)

    @property
    def weights(self) -> int:
        block = 12 * self.width**2 + 13 * self.width
        rest = (self.pixels + 1 + self.tokens[0] + 1 + 2) * self.width
        return len(self.tokens) * block + rest


@dataclass(frozen=True)
class Peaks:
    """Of one device, without sparsity: T operations per second by precision, GB per second."""

    name: str
    tera: Mapping[str, float]
    bandwidth: float

    def bound_ms(self, size: VitSize, batch: int, precision: str) -> float | None:
        """For one batch; None for a precision whose peak is not known."""
        peak = self.tera.get(precision)
        if peak is None:
            return None
        wide = _BYTES[precision]
        moved = size.weights * wide + batch * (size.image + size.width * wide)
        return 1000 * max(size.operations * batch / (peak * 1e12), moved / (self.bandwidth * 1e9))

    def share(self, size: VitSize, batch: int, precision: str, latency_ms: float) -> float | None:
        """The part of the bound's speed that was reached."""
        bound = self.bound_ms(size, batch, precision)
        return None if bound is None else bound / latency_ms


def _peaks(name: str, fp16: float, int8: float, bandwidth: float, fp8: bool = False) -> Peaks:
    tera = {"fp16": fp16, "bf16": fp16, "int8": int8, **({"fp8": int8} if fp8 else {})}
    return Peaks(name, tera, bandwidth)


# NVIDIA's data sheets, halved where they count sparsity: H200; Jetson AGX Orin, of which the GPU
# alone (85 of 137 dense TOPS); Orin Nano 8 GB at 625 MHz and, as Super, at 1,020 MHz.
H200 = _peaks("H200", 989.5, 1979.0, 4800.0, fp8=True)
AGX_ORIN_64 = _peaks("AGX Orin 64 GB", 42.5, 85.0, 204.8)
ORIN_NANO_8 = _peaks("Orin Nano 8 GB", 10.2, 20.5, 68.0)
ORIN_NANO_SUPER = _peaks("Orin Nano 8 GB Super", 16.7, 33.4, 102.0)

_GIB = 2**30
_SUPER_MODES = ("MAXN_SUPER", "25W")
"""Modes of the Orin Nano that exist only with the Super clocks."""


def for_device(
    name: str | None,
    capability: tuple[int, int] | None = None,
    *,
    memory: int = 0,
    power_mode: str | None = None,
) -> Peaks | None:
    """By the name of the GPU or of the Jetson module; None for any device that is not listed.

    Modules of one name come with several memories, and an Orin Nano with two clocks: where that
    is not told, there is no answer. A mode below the highest gives less than these peaks.
    """
    words = (name or "").lower()
    if re.search(r"\bh200\b", words) and capability in (None, (9, 0)):
        return H200
    if "orin" not in words or capability not in (None, (8, 7)):
        return None
    if "agx" in words and memory > 40 * _GIB:
        return AGX_ORIN_64
    if "nano" in words and 6 * _GIB < memory <= 8 * _GIB and power_mode:
        return ORIN_NANO_SUPER if power_mode in _SUPER_MODES else ORIN_NANO_8
    return None
