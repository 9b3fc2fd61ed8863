"""A report says the same in every form, and writes its files whole."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from personvit.benchmark.report import Report, Setting, Table, reproducing
from personvit.core.command import argument, option


@dataclass(frozen=True)
class Options:
    weights: str = argument("")
    data: Path | None = option(None, "")
    rerank: bool = option(False, "")
    keep: bool = option(True, "")
    peer: tuple[str, ...] = option((), "")
    rounds: int = option(5, "")


def a_report(**changes) -> Report:
    table = Table("Accuracy", ("model", "mAP"), (("small", "81.20 %"), ("a longer name", "9.10 %")))
    made = {
        "kind": "trial",
        "title": "A trial",
        "command": "personvit-benchmark trial",
        "setting": Setting(),
        "facts": {"mean_ap": 0.812},
        "tables": (table,),
        "notes": ("a note",),
    }
    return Report(**{**made, **changes})


def test_every_form_names_the_machine_and_the_command():
    report = a_report()
    known = report.as_json()
    assert (known["schema"], known["kind"], known["mean_ap"]) == (1, "trial", 0.812)
    assert known["command"] == "personvit-benchmark trial"
    cpu = known["machine"]["cpu"]
    for text in (report.as_text(), report.as_markdown()):
        assert cpu in text
        assert "a note" in text
    assert "| a longer name | 9.10 % |" in report.as_markdown()
    assert "small          81.20 %" in report.as_text()


def test_files_are_written_beside_each_other(tmp_path):
    report = a_report(arrays={"mean_ap": np.array([1.0, np.nan])})
    written = report.write(tmp_path / "new", "trial")
    assert [path.name for path in written] == ["trial.json", "trial.md", "trial.npz"]
    assert json.loads(written[0].read_text()) == json.loads(json.dumps(report.as_json()))
    np.testing.assert_array_equal(np.load(written[2])["mean_ap"], [1.0, np.nan])
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "trial.json",
        "trial.md",
        "trial.npz",
    ]


def test_the_command_can_be_pasted_into_a_shell():
    plain = Options("w.pt")
    assert reproducing("run it", plain) == "run it w.pt"
    full = Options("my w.pt", Path("/a b"), True, False, ("x=1", "y=2"), 7)
    assert reproducing("run it", full) == (
        "run it 'my w.pt' --data '/a b' --rerank --no-keep --peer x=1 --peer y=2 --rounds 7"
    )
