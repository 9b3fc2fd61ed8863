"""Graphs of random weights in every form that a GPU bench times: for speed, and for nothing else.

    python -m personvit.export.speed_graphs graphs --model vit_small_16 --model vit_base_16

It needs torch, timm and onnx, and no calibration: INT8 ranges are those of the random weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.command import CommandGroup, argument, option
from ..core.files import write_atomically
from ..core.preprocess import Preprocess
from .graph import build_graph, serialise
from .scales import LinearScale, Scales, layer_names
from .variants import VARIANTS

if TYPE_CHECKING:
    from ..core.models.vit import ReidVit

FORMS = (
    ("cpu", "fp32"),
    ("cpu", "int8"),
    ("trt-decomposed", "fp16"),
    ("trt-decomposed", "int8"),
    ("trt-attention", "fp16"),
    ("trt-attention", "int8"),
)
ACTIVATION = 4.0
"""A range that no value of these networks leaves; it changes no time."""


@dataclass(frozen=True)
class SpeedGraphsOptions:
    """Write MODEL-KIND-PRECISION.onnx for each form, of random weights with a fixed seed.

    Example: python -m personvit.export.speed_graphs graphs --model vit_small_16
    """

    folder: Path = argument("where the graphs go")
    model: tuple[str, ...] = option(("vit_small_16", "vit_base_16"), "An architecture; repeat it.")
    token_schedule: str = option("", "patches kept after some blocks, such as 4:96,8:64")


@dataclass(frozen=True)
class SpeedGraphs:
    paths: tuple[Path, ...]

    def as_json(self) -> dict[str, Any]:
        return {"graphs": [str(path) for path in self.paths]}

    def as_text(self) -> str:
        return "\n".join(str(path) for path in self.paths)


def speed_graphs(options: SpeedGraphsOptions) -> SpeedGraphs:
    return SpeedGraphs(tuple(_write(options)))


def _write(options: SpeedGraphsOptions) -> Iterator[Path]:
    import torch

    from ..core.models.registry import config_of
    from ..core.models.token_schedule import parse_schedule
    from ..core.models.vit import build

    for name in options.model:
        torch.manual_seed(0)
        config = config_of(name, token_schedule=parse_schedule(options.token_schedule))
        model = build(config).eval()
        layers = frozenset(layer_names(config.depth))
        scales = _scales(model, layers)
        preprocess = Preprocess(height=config.height_px, width=config.width_px)
        for kind, precision in FORMS:
            int8 = layers if precision == "int8" else frozenset()
            spec = VARIANTS[kind].spec("before", int8)
            path = options.folder / f"{name}-{kind}-{precision}.onnx"
            write_atomically(path, serialise(build_graph(model, preprocess, spec, scales)))
            yield path


def _scales(model: ReidVit, layers: frozenset[str]) -> Scales:
    modules = dict(model.backbone.named_modules())
    amax = {name: modules[name].weight.detach().abs().amax(dim=1) for name in layers}
    return {name: LinearScale(ACTIVATION, np.asarray(each)) for name, each in amax.items()}


if __name__ == "__main__":
    main = CommandGroup("speed-graphs", "Graphs of random weights, for timing.")
    main.command("write", SpeedGraphsOptions, default=True)(speed_graphs)
    main()
