"""The short form of `make bench-train`: does anything learn? Minutes, on synthetic pedestrians.

One seed and few steps, so the bounds are far below what the full form finds; a network that learns
nothing stays far below them.
"""

from __future__ import annotations

import pytest

from personvit.benchmark.distill_table import FEW, DistillationOptions, distillation
from personvit.benchmark.pretraining_value import PretrainingOptions, pretraining_value


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Several tests share the cores."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_pre_training_finds_people_that_random_numbers_do_not(tmp_path) -> None:
    options = PretrainingOptions(work=tmp_path, identities=440, seeds=1, set=("schedule.epochs=3",))
    report = pretraining_value(options)
    found = {name: 100 * ap for name, (ap,) in report.facts["mean_ap"].items()}
    assert found["personvit, neighbours"] > found["random, neighbours"] + 5, found
    assert found["dino, neighbours"] > found["random, neighbours"] + 3, found


def test_a_teacher_makes_up_for_labels(tmp_path) -> None:
    options = DistillationOptions(
        work=tmp_path, identities=220, size="64x32", student="vit-nano", teacher_epochs=6, epochs=5,
        seeds=1,
    )  # fmt: skip
    report = distillation(options)
    found = {way: ap for way, (ap,) in report.facts["mean_ap"].items()}
    assert found["distilled"] > found[FEW] + 4, found
    assert report.facts["across_mean_ap"][0] > 20, report.facts["across_mean_ap"]
