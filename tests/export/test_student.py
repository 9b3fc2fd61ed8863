"""A teacher-compatible student, from distillation to a bundle that shares its teacher's space."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from personvit.core.bundle import Bundle
from personvit.core.errors import ConfigError
from personvit.core.models.config import ModelConfig
from personvit.core.models.native import load_native, save_native
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.engines.catalogue import open_engine
from personvit.export.cli import main
from personvit.export.options import ExportOptions
from personvit.export.source import open_source
from personvit.train.distill.distill import DistillOptions, distill
from personvit.train.initial import draw

SET = ("input.height=64", "input.width=32", "augment.pad=2", "schedule.epochs=6")


@pytest.fixture(scope="module")
def student(weights: Path, people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student")
    model = build(ModelConfig(width=32, heads=1, depth=2, height_px=64, width_px=32)).eval()
    draw(model, 0)
    start = folder / "start.safetensors"
    save_native(start, model, Preprocess(height=64, width=32), {"made_by": "a test"})
    asked = DistillOptions(
        str(weights),
        str(start),
        data=people,
        recipe="distill-demo",
        set=SET,
        in_teacher_space=True,
        out=folder / "run",
        evaluate=False,
    )
    distill(asked)
    return (folder / "run" / "model.safetensors").rename(folder / "student.safetensors")


def test_its_bundle_names_the_teachers_space_and_an_encoder_of_its_own(
    words, student: Path, weights: Path, people: Path, tmp_path: Path
) -> None:
    bundles = []
    for name, file in (("student", student), ("teacher", weights)):
        out = tmp_path / f"{name}.pvb"
        assert main.run(words(file, people, out, "--int8", "--gate", "mAP>=-9")) == 0
        assert main.run(["verify", str(out)]) == 0
        bundles.append(Bundle.open(out).manifest)
    ours, theirs = bundles
    assert ours.space == theirs.space
    assert ours.variants[0].encoder_id != theirs.variants[0].encoder_id
    assert ours.model.config["width"] == 32
    crops = Bundle.open(tmp_path / "student.pvb").golden().crops
    native = load_native(student)
    with torch.inference_mode():
        expected = native.model.embed(torch.from_numpy(native.preprocess.normalise(crops))).numpy()
    with open_engine(str(tmp_path / "student.pvb"), "openvino") as engine:
        found = engine.embed(crops)
        assert engine.outputs[0].space == theirs.space.id
    assert found.shape == (len(crops), theirs.space.dimension)
    assert (found * expected).sum(axis=1).min() > 0.98, "the graph ends in the projection"
    card = (Bundle.open(tmp_path / "student.pvb").read("README.md")).decode()
    assert "may search that model's gallery" in card


def test_pytorch_serves_it_in_the_same_space(student: Path, weights: Path) -> None:
    with open_engine(str(student)) as ours, open_engine(str(weights)) as theirs:
        assert ours.outputs[0].space == theirs.outputs[0].space
        assert ours.outputs[0].shape == theirs.outputs[0].shape


def test_the_projection_takes_one_side_of_the_neck_only(student: Path, people: Path) -> None:
    other = "before" if load_native(student).config.neck_feature == "after" else "after"
    with pytest.raises(ConfigError, match="leave out --neck"):
        open_source(ExportOptions(str(student), people, neck=other))
