"""A student trained in INT8 is exported with its own ranges, and its engine answers as it did."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from personvit.core.bundle import Bundle
from personvit.core.errors import CalibrationError, CheckpointError
from personvit.core.models.config import ModelConfig
from personvit.core.models.native import HEADER_KEY, INT8_KEY, load_native, save_native
from personvit.core.models.vit import ReidVit, build
from personvit.core.models.weights import ReadOptions, load_weights
from personvit.core.preprocess import Preprocess
from personvit.export.calibrate import trained
from personvit.export.cli import main
from personvit.export.graph import build_graph, serialise
from personvit.export.parity import open_session
from personvit.export.recipe import Recipe
from personvit.export.variants import VARIANTS
from personvit.train.distill.fake_quant import fake_quantise, plain
from personvit.train.import_checkpoint import ImportOptions, import_checkpoint

SIZE = Preprocess(height=64, width=32)


def students() -> dict[str, ModelConfig]:
    small = {"width": 64, "heads": 1, "depth": 3, "height_px": 64, "width_px": 32}
    return {
        "plain": ModelConfig(**small),
        "narrowing": ModelConfig(**small, token_schedule=((1, 6), (2, 4))),
    }


def pixels(count: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 32, 3), dtype=np.uint8)


def quantised(config: ModelConfig) -> ReidVit:
    torch.manual_seed(0)
    model = build(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.add_(torch.randn_like(value) * (0.3 if "qkv" in name else 0.05))
    fake_quantise(model, [torch.from_numpy(SIZE.normalise(pixels()))])
    return model


@pytest.mark.parametrize("name", students())
def test_the_engine_answers_as_the_student_did_in_training(name, tmp_path):
    student = quantised(students()[name])
    path = tmp_path / "student.safetensors"
    model, ranges = plain(student)
    save_native(path, model, SIZE, {}, ranges)
    loaded = load_weights(path)
    recipe = Recipe(calibration="training")
    ready = trained(loaded.model, loaded.ranges, recipe)
    spec = VARIANTS["cpu"].spec("before", recipe.int8_layers(loaded.config))
    graph = serialise(build_graph(ready.model, SIZE, spec, ready.scales))
    found = open_session(graph).run(None, {"images": pixels()})[0]
    with torch.no_grad():
        wanted = student.embed(torch.from_numpy(SIZE.normalise(pixels()))).numpy()
        exact = model.embed(torch.from_numpy(SIZE.normalise(pixels()))).numpy()
    error, rounding = (1 - (found * one).sum(axis=1) for one in (wanted, exact))
    assert np.median(error) < 1e-5
    assert np.median(error) < 0.1 * np.median(rounding)


@pytest.fixture(scope="module")
def in_int8(weights, tmp_path_factory):
    """The trained model of these tests, calibrated as the last leg of training would."""
    loaded = load_native(weights)
    crops = torch.from_numpy(loaded.preprocess.normalise(pixels(64)))
    fake_quantise(loaded.model, [crops])
    path = tmp_path_factory.mktemp("int8") / "student.safetensors"
    model, ranges = plain(loaded.model)
    save_native(path, model, loaded.preprocess, loaded.provenance, ranges)
    return path


def test_export_recalibrates_nothing_and_says_so(words, in_int8, people, tmp_path):
    """Fewer crops than calibration would take are therefore enough."""
    out = tmp_path / "student.pvb"
    more = ("--int8", "--gate", "mAP>=-30", "--calibration-crops", "5000")
    assert main.run(words(in_int8, people, out, *more)) == 0
    bundle = Bundle.open(out)
    members = {member.name for member in bundle.manifest.members}
    assert "recipe.toml" in members
    assert "calib.lock" not in members
    assert 'calibration = "training"' in bundle.read("recipe.toml").decode()
    assert "not recalibrated" in bundle.read("README.md").decode()
    page = (out.with_suffix(".report") / "report.html").read_text()
    assert "nothing recalibrated" in page


def test_ranges_that_are_not_there_or_not_enough_are_told(in_int8):
    loaded = load_weights(in_int8)
    with pytest.raises(CalibrationError, match="distill --int8"):
        trained(loaded.model, None, Recipe(calibration="training"))
    for recipe, what in (
        (Recipe(calibration="training", smooth=0.5), "smooth"),
        (Recipe(calibration="training", patch_convolution=True), "patch_embed.proj"),
    ):
        with pytest.raises(CalibrationError, match=what):
            trained(loaded.model, loaded.ranges, recipe)


def test_an_import_keeps_the_ranges(in_int8, tmp_path):
    out = tmp_path / "again.safetensors"
    import_checkpoint(ImportOptions(str(in_int8), out=out))
    assert load_weights(out).ranges == load_weights(in_int8).ranges


def test_other_sizes_lose_the_ranges(in_int8):
    loaded = load_weights(in_int8, ReadOptions(size=(96, 32)))
    assert loaded.ranges is None
    assert "INT8 ranges of another size" in loaded.report.as_text()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda ranges: ranges.pop("blocks.0.attn.qkv"), "missing blocks.0.attn.qkv"),
        (lambda ranges: ranges.update({"blocks.9.mlp.fc1": 1.0}), "unknown blocks.9.mlp.fc1"),
        (lambda ranges: ranges.update({"blocks.1.mlp.fc1": -1.0}), "not a number above 0"),
        (lambda ranges: ranges.update({"blocks.1.mlp.fc1": "4"}), "not a number above 0"),
        (lambda ranges: ranges.update({"blocks.1.mlp.fc1": float("nan")}), "not a number above 0"),
    ],
    ids=["missing", "unknown", "negative", "text", "nan"],
)
def test_damaged_ranges_are_refused(in_int8, tmp_path, change, sentence):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(in_int8, framework="numpy") as file:
        header = json.loads(file.metadata()[HEADER_KEY])
    change(header[INT8_KEY])
    path = tmp_path / "damaged.safetensors"
    save_file(load_file(in_int8), path, metadata={HEADER_KEY: json.dumps(header)})
    with pytest.raises(CheckpointError, match=sentence):
        load_weights(path)
