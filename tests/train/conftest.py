"""A toy data set and a network small enough to train in a test."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvit.train.cli import main
from personvit.train.finetune import FinetuneOptions

TOY = (
    "input.height=32",
    "input.width=16",
    "batch.identities=4",
    "batch.images=2",
    "augment.pad=2",
    "schedule.epochs=2",
    "schedule.warmup_epochs=1",
    "optimiser.lr=1e-3",
)


def draw_people(root: Path, identities: range, splits=("train", "query", "gallery")) -> Path:
    """Two-coloured people in Market-1501's layout, seen by two cameras."""
    folders = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
    for folder in folders.values():
        (root / folder).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for identity in identities:
        colours = np.random.default_rng(identity).integers(0, 256, (2, 1, 1, 3))
        for split in splits:
            for camera in (1, 2):
                for shot in range(3 if split == "train" else 1):
                    tones = np.repeat(colours, 16, axis=1).reshape(32, 1, 3)
                    pixels = np.clip(tones + rng.normal(0, 15, (32, 16, 3)), 0, 255)
                    name = f"{identity:04d}_c{camera}s1_{shot:06d}_00.jpg"
                    Image.fromarray(pixels.astype(np.uint8)).save(root / folders[split] / name)
    return root


@pytest.fixture(scope="session")
def people(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("people")
    draw_people(root, range(1, 9), ("train",))
    return draw_people(root, range(11, 15), ("query", "gallery"))


@pytest.fixture
def options(people, tmp_path):
    """Options of a toy run in-process; changes are given by name."""

    def make(*, set=(), **changes):
        values = {
            "weights": "vit_micro_16",
            "data": people,
            "recipe": "personvit",
            "set": (*TOY, *set),
            "out": tmp_path / "run",
            "device": "cpu",
            "workers": 1,
            "log_every": 1,
        }
        return FinetuneOptions(**(values | changes))

    return make


@pytest.fixture
def command(people):
    """The words of a toy run for another process."""

    def words(out, *more, set=()):
        changes = [word for change in (*TOY, *set) for word in ("--set", change)]
        return [
            "finetune", "vit_micro_16", "--data", str(people), "-o", str(out), "--device", "cpu",
            "--workers", "1", "--log-every", "1", *changes, *more,
        ]  # fmt: skip

    return words


def one_thread() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def begin(words) -> subprocess.Popen:
    program = Path(sys.executable).with_name("personvit-train")
    return subprocess.Popen(
        [str(program), *words],
        env=one_thread(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def steps_logged(out: Path) -> int:
    path = out / "log.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return max((json.loads(line)["step"] for line in lines if line.endswith("}")), default=0)


@pytest.fixture
def shell(capsys):
    """Run a command line in this process: exit code, stdout and stderr."""

    def run(words):
        code = main.run(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture(name="begin")
def begin_fixture():
    return begin


@pytest.fixture(name="one_thread")
def one_thread_fixture():
    return one_thread()


@pytest.fixture(name="draw_people")
def draw_people_fixture():
    return draw_people


@pytest.fixture(name="steps_logged")
def steps_logged_fixture():
    return steps_logged
