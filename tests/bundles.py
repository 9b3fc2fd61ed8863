"""Small random models, and the bundles made of them; `small_bundle` in conftest.py hands it out."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch

from personvit.core.bundle import write_bundle
from personvit.core.golden import array_bytes
from personvit.core.manifest import (
    Bounds,
    Manifest,
    Model,
    Space,
    TensorSpec,
    Variant,
    variant_name,
)
from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import ReidVit, build
from personvit.core.preprocess import Preprocess
from personvit.export.graph import build_graph, serialise
from personvit.export.scales import LinearScale, layer_names
from personvit.export.variants import VARIANTS

PREPROCESS = Preprocess(height=64, width=32)
CANDIDATES = {"int8": "int8", "fp32": "fp16", "fp16": "fp16"}


def random_model(**settings) -> ReidVit:
    torch.manual_seed(0)
    size = {"height_px": 64, "width_px": 32}
    return build(ModelConfig(width=32, depth=2, heads=2, **size, **settings)).eval()


class SmallBundle:
    """One random model as graphs of any kind, and the bundles made of them."""

    def __init__(self) -> None:
        self.model = random_model()
        rng = np.random.default_rng(1)
        self.crops = rng.integers(0, 256, (16, 64, 32, 3), dtype=np.uint8)
        pixels = torch.from_numpy(PREPROCESS.normalise(self.crops))
        self.layers = layer_names(self.model.config.depth)
        modules = dict(self.model.backbone.named_modules())
        peaks: dict[str, float] = {}
        hooks = [
            modules[name].register_forward_pre_hook(
                lambda _, inputs, name=name: peaks.update({name: float(inputs[0].abs().max())})
            )
            for name in self.layers
        ]
        with torch.inference_mode():
            self.embeddings = self.model.embed(pixels).numpy()
        for hook in hooks:
            hook.remove()
        self.scales = {
            name: LinearScale(peaks[name], modules[name].weight.detach().abs().amax(dim=1).numpy())
            for name in self.layers
        }
        self.graph = cache(self._graph)
        self.graphs = {precision: self.graph("cpu", precision) for precision in ("fp32", "int8")}

    def write(
        self,
        path: Path,
        *precisions: str,
        embeddings=None,
        cosine_min=0.99,
        kind="cpu",
        also=(),
        name="small",
    ) -> Path:
        """A bundle whose golden embeddings are the full-precision model's unless given; `also`
        names further kinds, whose full precision is FP16."""
        expected = self.embeddings if embeddings is None else embeddings
        members = {"golden/crops.npy": array_bytes(self.crops)}
        variants = []
        for each in (kind, *also):
            own = [VARIANTS[each].precision if one == "fp32" else one for one in precisions]
            for precision in own:
                variant = self._variant(each, precision, own[0], cosine_min)
                members[variant.member] = self.graph(each, precision)
                members[variant.golden] = array_bytes(expected)
                variants.append(variant)
        write_bundle(path, self._draft(name, tuple(variants)), members)
        return path

    def _graph(self, kind: str, precision: str) -> bytes:
        int8 = frozenset(self.layers) if precision == "int8" else frozenset()
        spec = VARIANTS[kind].spec("before", int8)
        return serialise(build_graph(self.model, PREPROCESS, spec, self.scales))

    def _variant(self, kind: str, precision: str, first: str, cosine_min: float) -> Variant:
        """The first precision is the bundle's default candidate."""
        candidate = CANDIDATES[precision]
        return Variant(
            variant_name(kind, candidate, CANDIDATES[first]),
            kind,
            candidate,
            precision,
            VARIANTS[kind].spec("before").opset,
            (TensorSpec("images", "uint8", ("batch", 64, 32, 3), "crops"),),
            (TensorSpec("embedding", "float32", ("batch", 32), "embedding"),),
            Bounds(cosine_min, 0.01),
        )

    def _draft(self, name: str, variants: tuple[Variant, ...]) -> Manifest:
        return Manifest(
            tool="0.1.0",
            name=name,
            model=Model("small", self.model.config.to_dict()),
            preprocess=PREPROCESS,
            space=Space("ab" * 32, "before", 32),
            variants=variants,
        )
