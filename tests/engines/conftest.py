"""Small random models as weights and as bundles, and pictures to show them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

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
from personvit.core.models.native import save_native
from personvit.core.models.vit import ReidVit, build
from personvit.core.preprocess import Preprocess
from personvit.export.graph import GraphSpec, build_graph, serialise
from personvit.export.scales import LinearScale, layer_names

SIZE = {"height_px": 64, "width_px": 32}


def random_model(**settings) -> ReidVit:
    torch.manual_seed(0)
    return build(ModelConfig(width=32, depth=2, heads=2, **SIZE, **settings)).eval()


@pytest.fixture(scope="session")
def write_model(tmp_path_factory):
    def write(preprocess=None, **settings) -> tuple[Path, ReidVit]:
        model = random_model(**settings)
        path = tmp_path_factory.mktemp("weights") / "model.safetensors"
        save_native(
            path, model, preprocess or Preprocess(height=64, width=32), {"made": "by a test"}
        )
        return path, model

    return write


@pytest.fixture(scope="session")
def weights(write_model) -> Path:
    return write_model()[0]


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (7, 64, 32, 3), dtype=np.uint8)


@pytest.fixture
def pictures(tmp_path, crops) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, crop in enumerate(crops):
        Image.fromarray(crop).save(folder / f"{number}.png")
    return folder


PREPROCESS = Preprocess(height=64, width=32)


class SmallBundle:
    """One random model as graphs of the kind `cpu`, and the bundles made of them."""

    def __init__(self) -> None:
        self.model = random_model()
        rng = np.random.default_rng(1)
        self.crops = rng.integers(0, 256, (16, 64, 32, 3), dtype=np.uint8)
        pixels = torch.from_numpy(PREPROCESS.normalise(self.crops))
        layers = layer_names(self.model.config.depth)
        modules = dict(self.model.backbone.named_modules())
        peaks: dict[str, float] = {}
        hooks = [
            modules[name].register_forward_pre_hook(
                lambda _, inputs, name=name: peaks.update({name: float(inputs[0].abs().max())})
            )
            for name in layers
        ]
        with torch.inference_mode():
            self.embeddings = self.model.embed(pixels).numpy()
        for hook in hooks:
            hook.remove()
        scales = {
            name: LinearScale(peaks[name], modules[name].weight.detach().abs().amax(dim=1).numpy())
            for name in layers
        }
        specs = {"fp32": GraphSpec(), "int8": GraphSpec(int8=frozenset(layers))}
        self.graphs = {
            precision: serialise(build_graph(self.model, PREPROCESS, spec, scales))
            for precision, spec in specs.items()
        }

    def write(self, path: Path, *precisions: str, embeddings=None, cosine_min=0.99) -> Path:
        """A bundle whose golden embeddings are the full-precision model's unless given."""
        expected = self.embeddings if embeddings is None else embeddings
        members = {"golden/crops.npy": array_bytes(self.crops)}
        for precision in precisions:
            name = _name(precision, precisions)
            members[f"variants/{name}/model.onnx"] = self.graphs[precision]
            members[f"golden/{name}.npy"] = array_bytes(expected)
        write_bundle(path, self._draft(precisions, cosine_min), members)
        return path

    def _draft(self, precisions: tuple[str, ...], cosine_min: float) -> Manifest:
        inputs = (TensorSpec("images", "uint8", ("batch", 64, 32, 3), "crops"),)
        outputs = (TensorSpec("embedding", "float32", ("batch", 32), "embedding"),)
        bounds = Bounds(cosine_min, 0.01)
        variants = tuple(
            Variant(
                _name(precision, precisions),
                "cpu",
                CANDIDATES[precision],
                precision,
                20,
                inputs,
                outputs,
                bounds,
            )
            for precision in precisions
        )
        return Manifest(
            tool="0.1.0",
            name="small",
            model=Model("small", self.model.config.to_dict()),
            preprocess=PREPROCESS,
            space=Space("ab" * 32, "before", 32),
            variants=variants,
        )


CANDIDATES = {"int8": "int8", "fp32": "fp16"}


def _name(precision: str, precisions: tuple[str, ...]) -> str:
    """The first is the bundle's default candidate."""
    return variant_name("cpu", CANDIDATES[precision], CANDIDATES[precisions[0]])


@pytest.fixture(scope="session")
def small_bundle() -> SmallBundle:
    return SmallBundle()


@pytest.fixture(scope="session")
def bundle(small_bundle, tmp_path_factory) -> Path:
    return small_bundle.write(tmp_path_factory.mktemp("bundle") / "small.pvb", "int8", "fp32")


@pytest.fixture(scope="session")
def source_of(weights, bundle):
    """What an engine of the catalogue opens, as it says itself."""
    return lambda spec: str(bundle if "bundle" in spec.takes else weights)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    """No test reads or leaves choices in the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"
