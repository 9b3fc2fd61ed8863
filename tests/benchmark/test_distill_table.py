"""The table of students: what it says follows from the runs' own results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from personvit.benchmark import distill_table
from personvit.benchmark.distill_table import WAYS, DistillationOptions, distillation
from personvit.core.errors import ConfigError, UserError
from personvit.train.distill.recipe import Teaching

SCORES = {
    "alone": (0.40, 0.44),
    "few-labels": (0.2, 0.3),
    "distilled": (0.58, 0.60),
    "in-space": (0.57, 0.59),
}


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """Stands in for the processes: writes the result that such a run would have written."""
    asked: list[list[str]] = []

    def train(*given):
        words = ["personvit-train", *map(str, given)]
        asked.append(words)
        out = Path(words[words.index("-o") + 1])
        out.mkdir(parents=True)
        if words[1] != "distill":
            return
        way, _, seed = out.name.rpartition("-")
        student = {"mean_ap": SCORES[way][int(seed) - 1], "queries": 12}
        across = {"mean_ap": 0.59} if way == "in-space" else None
        result = {
            "teacher": "t", "start": "s", "steps": 7, "training_crops": 9, "seconds": 1.0,
            "scores": {"teacher": {"mean_ap": 0.6}, "student": student, "across": across},
        }  # fmt: skip
        (out / "result.json").write_text(json.dumps(result))

    monkeypatch.setattr(distill_table, "train", train)
    monkeypatch.setattr(distill_table, "drawn", lambda _: None)
    (tmp_path / "data").mkdir()
    return asked


def test_the_table_compares_every_way_with_the_teacher(trained, tmp_path) -> None:
    options = DistillationOptions(work=tmp_path, out=tmp_path / "out", seeds=2)
    report = distillation(options)
    rows = {row[0]: row[1:] for row in report.tables[0].rows}
    assert rows["teacher"] == ("60.0", "", "100 %")
    assert rows["alone"][0].startswith("42.0 ± ")
    assert rows["distilled"][1].startswith("-1.0 ± ")
    assert rows["distilled"][2].startswith("98.3 ± ")
    assert rows["across"][1] == "-1.0 ± 0.0"
    written = json.loads((tmp_path / "out" / "distillation.json").read_text())
    assert written["mean_ap"]["alone"] == pytest.approx([40.0, 44.0])


def test_all_ways_get_the_same_student_steps_and_crops(trained, tmp_path) -> None:
    distillation(DistillationOptions(work=tmp_path, seeds=1, epochs=3))
    runs = [words for words in trained if words[1] == "distill"]
    assert len(runs) == len(WAYS)
    for words in runs:
        few = "few" in words[words.index("--data") + 1]
        assert words[2:4] == runs[0][2:4]
        assert ("schedule.epochs=30" if few else "schedule.epochs=3") in words
    off = {word for word in runs[0] if word.startswith("teach.")}
    lessons = {name for name in Teaching.model_fields if name.endswith("_weight")}
    assert off == {f"teach.{name}=0" for name in lessons}, "alone, no lesson may be left on"


def test_a_folder_for_the_runs_is_needed() -> None:
    with pytest.raises(ConfigError, match="--work FOLDER"):
        distillation(DistillationOptions())


def test_a_size_is_height_x_width(tmp_path) -> None:
    with pytest.raises(UserError, match="HEIGHTxWIDTH"):
        distillation(DistillationOptions(work=tmp_path, size="128"))
