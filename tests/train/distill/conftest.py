"""Teachers and students of a few blocks, and a toy data set for them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from personvit.core.models.config import ModelConfig
from personvit.core.models.native import save_native
from personvit.core.models.vit import ReidVit, build
from personvit.core.preprocess import Preprocess
from personvit.train.distill.distill import DistillOptions

TOY = (
    "input.height=32",
    "input.width=32",
    "batch.identities=4",
    "batch.images=2",
    "augment.pad=2",
    "schedule.epochs=2",
    "schedule.warmup_epochs=1",
    "optimiser.lr=1e-3",
)
SIZE = {"height_px": 32, "width_px": 32}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def lively(**settings) -> ReidVit:
    torch.manual_seed(5)
    values = {"width": 64, "heads": 1, "depth": 2, **SIZE, **settings}
    model = build(ModelConfig(**values)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model


def write(path: Path, model: ReidVit, **preprocess) -> Path:
    size = {"height": model.config.height_px, "width": model.config.width_px}
    save_native(path, model, Preprocess(**{**size, **preprocess}), {"made_by": "a test"})
    return path


@pytest.fixture(scope="session")
def people(shared, tmp_path_factory) -> Path:
    draw = shared("train/conftest.py").draw_people
    root = tmp_path_factory.mktemp("people")
    draw(root, range(1, 9), ("train",))
    return draw(root, range(11, 15), ("query", "gallery"))


@pytest.fixture(scope="session")
def crops_without_names(people, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("crops")
    for number, path in enumerate(sorted((people / "bounding_box_train").iterdir())):
        (root / f"{number}.jpg").write_bytes(path.read_bytes())
    return root


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> dict[str, Path]:
    """Files by what they are; the teachers see larger crops with another normalisation."""
    folder = tmp_path_factory.mktemp("weights")
    large = {"height_px": 64, "width_px": 32}
    models = {
        "teacher": lively(width=96, depth=4, heads=3, **large),
        "classifier": lively(width=96, depth=4, heads=3, classes=8, neck_feature="after", **large),
        "pass": lively(width=96, depth=2, heads=3, tokens="pass", neck="multi", **large),
        "student": lively(),
        "mean": lively(tokens="mean"),
        "drop": lively(tokens="cls-drop-patch"),
        "part-student": lively(tokens="pass", neck="multi"),
    }
    return {
        name: write(
            folder / f"{name}.safetensors", model, **(IMAGENET if model.config.width == 96 else {})
        )
        for name, model in models.items()
    }


@pytest.fixture
def options(people, weights, tmp_path):
    """Options of a toy distillation in this process; changes are given by name."""

    def make(teacher="teacher", student="student", *, set=(), **changes):
        values = {
            "teacher": str(weights.get(teacher, teacher)),
            "student": str(weights.get(student, student)),
            "data": people,
            "recipe": "distill",
            "set": (*TOY, *set),
            "out": tmp_path / "run",
            "device": "cpu",
            "workers": 1,
            "log_every": 1,
        }
        return DistillOptions(**(values | changes))

    return make


@pytest.fixture
def command(people, weights):
    """The words of a toy distillation for another process."""

    def words(out, *more, set=()):
        changes = [word for change in (*TOY, *set) for word in ("--set", change)]
        return [
            "distill", str(weights["teacher"]), str(weights["student"]), "--data", str(people),
            "-o", str(out), "--device", "cpu", "--workers", "1", "--log-every", "1",
            "--no-evaluate", *changes, *more,
        ]  # fmt: skip

    return words


@pytest.fixture(name="lively")
def lively_fixture():
    return lively


@pytest.fixture(name="write")
def write_fixture():
    return write
