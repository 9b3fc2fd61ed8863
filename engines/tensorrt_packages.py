"""The two packages that compile and run plans, TensorRT and TensorRT-RTX: names and versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from ..core.errors import EnvironmentMismatch
from .version_numbers import Version, version_of

Name = Literal["tensorrt", "tensorrt_rtx"]
Typing = Literal["strong", "weak"]

ATTENTION_OPERATOR: Version = (10, 14)
"""The first TensorRT whose parser reads ONNX `Attention`."""
STRONG_TYPING: Version = (10, 12)
"""From here on strong typing is all that is offered or recommended."""


@dataclass(frozen=True)
class Package:
    """`product` is its name in the known-bad list."""

    name: Name
    title: str
    product: Literal["tensorrt", "tensorrt-rtx"]
    remedy: str

    def require(self) -> None:
        if find_spec(self.name) is None:
            raise EnvironmentMismatch(self.remedy)

    def module(self) -> Any:
        """Its Python module; what it lacks differs between versions, so take names by getattr."""
        self.require()
        try:
            return import_module(self.name)
        except (ImportError, OSError) as problem:
            raise EnvironmentMismatch(
                f"{self.title} is installed but cannot be imported ({problem}); {self.remedy}"
            ) from problem

    def version(self) -> str:
        return str(self.module().__version__)

    def kinds(self, version: str) -> tuple[str, ...]:
        """The kinds of graphs it takes, the best first."""
        if self.name == "tensorrt_rtx":
            return ("trt-attention",)
        if version_of(version) >= ATTENTION_OPERATOR:
            return ("trt-attention", "trt-decomposed")
        return ("trt-decomposed",)

    def typings(self, version: str) -> tuple[Typing, ...]:
        """The ways to build, the first choice first."""
        weak = self.name == "tensorrt" and version_of(version) < STRONG_TYPING
        return ("strong", "weak") if weak else ("strong",)

    def capabilities(self) -> tuple[str, ...]:
        """The architectures it can build for besides that of this machine's GPU."""
        known = getattr(self.module(), "ComputeCapability", None)
        names = [name[2:] for name in dir(known) if re.fullmatch(r"SM\d+", name)]
        found = sorted((int(name[:-1]), int(name[-1])) for name in names)
        return tuple(f"{major}.{minor}" for major, minor in found)


PACKAGES: Mapping[str, Package] = {
    "tensorrt": Package(
        "tensorrt",
        "TensorRT",
        "tensorrt",
        "TensorRT is not installed; on a Jetson it comes with JetPack (use a virtual environment "
        "with --system-site-packages), elsewhere: pip install 'personvit[tensorrt]'",
    ),
    "tensorrt_rtx": Package(
        "tensorrt_rtx",
        "TensorRT-RTX",
        "tensorrt-rtx",
        "TensorRT-RTX is not installed; pip install 'personvit[rtx]'",
    ),
}
