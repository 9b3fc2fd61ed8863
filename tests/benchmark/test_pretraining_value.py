"""The table of starts: what it says follows from the scores of the runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from personvit.benchmark import pretraining_value as module
from personvit.benchmark.few_labels import labelled_people, link_few
from personvit.benchmark.pretraining_value import PretrainingOptions, pretraining_value
from personvit.core.errors import ConfigError

SCORES = {
    "random": (0.05, 0.06),
    "dino": (0.21, 0.25),
    "personvit": (0.28, 0.27),
    "random-fine-tuned-5": (0.30, 0.34),
    "dino-fine-tuned-5": (0.40, 0.42),
    "personvit-fine-tuned-5": (0.45, 0.41),
    "random-fine-tuned-20": (0.70, 0.72),
    "dino-fine-tuned-20": (0.66, 0.69),
    "personvit-fine-tuned-20": (0.68, 0.69),
}


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """Stands in for the processes and for the evaluation; keeps what was asked for."""
    asked: list[list[str]] = []

    def train(*words):
        asked.append(["personvit-train", *map(str, words)])

    def mean_ap(course, weights):
        name = weights.stem if weights.parent == course.work else weights.parent.name
        start, seed, *tuned = name.split("-", 2)
        return SCORES["-".join([start, *tuned])][int(seed) - 1]

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "drawn", lambda _: None)
    monkeypatch.setattr(module, "_mean_ap", mean_ap)
    market(tmp_path / "data", people=40)
    return asked


def market(root: Path, people: int) -> None:
    for split in ("bounding_box_train", "query", "bounding_box_test"):
        (root / split).mkdir(parents=True)
        for person in range(people):
            (root / split / f"{person:04d}_c1s1_000001_00.jpg").write_bytes(b"picture")


def test_the_table_compares_starts_before_and_after_fine_tuning(trained, tmp_path) -> None:
    report = pretraining_value(PretrainingOptions(work=tmp_path, out=tmp_path / "out", seeds=2))
    levels = {row[0]: row[1:] for row in report.tables[0].rows}
    gains = {row[0]: row[1:] for row in report.tables[1].rows}
    assert levels["random"][0].startswith("5.5 ± ")
    assert gains["personvit over random"][0].startswith("22.0 ± ")
    assert gains["personvit over dino"][0].startswith("4.5 ± ")
    assert gains["personvit over dino"][1].startswith("2.0 ± ")
    assert gains["personvit over random"][2].startswith("-2.5 ± ")
    written = json.loads((tmp_path / "out" / "pretraining.json").read_text())
    assert written["mean_ap"]["dino, neighbours"] == [0.21, 0.25]


def test_one_seed_has_no_interval(trained, tmp_path) -> None:
    report = pretraining_value(PretrainingOptions(work=tmp_path, seeds=1))
    gains = {row[0]: row[1] for row in report.tables[1].rows}
    assert gains["personvit over random"] == "23.0"
    assert any("no interval" in note for note in report.notes)


def test_every_start_is_fine_tuned_alike_on_the_same_few_people(trained, tmp_path) -> None:
    pretraining_value(PretrainingOptions(work=tmp_path, seeds=1, identities=440))
    tuned = [words for words in trained if words[1] == "finetune"]
    assert len(tuned) == 6
    for short, long in zip(tuned[::2], tuned[1::2], strict=True):
        assert short[3:-1] == tuned[0][3:-1], "only weights and folder differ"
        assert "schedule.epochs=5" in short
        assert "schedule.epochs=20" in long
        assert short[short.index("--data") + 1] == str(tmp_path / "few")
    pretrained = [words for words in trained if words[1] == "pretrain"]
    assert [words[words.index("--method") + 1] for words in pretrained] == ["dino", "personvit"]
    assert len(list((tmp_path / "few" / "bounding_box_train").iterdir())) == 40
    assert len(list((tmp_path / "few" / "query").iterdir())) == 40


def test_few_labels_are_of_the_first_people_and_share_the_pictures(tmp_path) -> None:
    market(tmp_path / "data", people=10)
    for _ in range(2):
        link_few(tmp_path / "data", tmp_path / "few", 3)
    kept = sorted((tmp_path / "few" / "bounding_box_train").iterdir())
    assert [path.name[:4] for path in kept] == ["0000", "0001", "0002"]
    assert kept[0].samefile(tmp_path / "data" / "bounding_box_train" / kept[0].name)
    assert labelled_people(400, 0.1) == 40
    assert labelled_people(100, 0.1) == 16, "a batch needs so many"


def test_a_folder_for_the_runs_is_needed() -> None:
    with pytest.raises(ConfigError, match="--work FOLDER"):
        pretraining_value(PretrainingOptions())
