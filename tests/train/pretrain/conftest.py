"""A pool of toy crops and a pre-training run that takes seconds."""

from pathlib import Path

import pytest

from personvit.train.pretrain.pretrain import PretrainOptions

TOY = (
    "input.height=64",
    "input.width=32",
    "views.local_count=2",
    "views.local_height=32",
    "views.local_width=16",
    "head.outputs=32",
    "head.hidden=16",
    "head.bottleneck=8",
    "schedule.epochs=4",
    "schedule.warmup_epochs=1",
    "batch.size=8",
    "masks.shape=random",
    "model.architecture=vit_nano_16",
    "model.drop_path=0.2",
)
"""Four epochs of three steps over the toy crops."""


@pytest.fixture(scope="session")
def crops(people) -> Path:
    """Half of the toy people's training crops, without their names."""
    root = people.parent / "crops"
    root.mkdir(exist_ok=True)
    for number, path in enumerate(sorted((people / "bounding_box_train").iterdir())[:24]):
        (root / f"{number:03d}.jpg").write_bytes(path.read_bytes())
    return root


@pytest.fixture
def pretrain_options(crops, tmp_path):
    """Options of a toy run in-process; changes are given by name."""

    def make(*, set=(), **changes):
        values = {
            "pool": crops,
            "recipe": "demo",
            "set": (*TOY, *set),
            "out": tmp_path / "run",
            "device": "cpu",
            "workers": 1,
            "log_every": 1,
        }
        return PretrainOptions(**(values | changes))

    return make


@pytest.fixture
def pretrain_command(crops):
    """The words of a toy run for another process."""

    def words(out, *more, set=()):
        changes = [word for change in (*TOY, *set) for word in ("--set", change)]
        return [
            "pretrain", str(crops), "--recipe", "demo", "-o", str(out), "--device", "cpu",
            "--workers", "1", "--log-every", "1", *changes, *more,
        ]  # fmt: skip

    return words
