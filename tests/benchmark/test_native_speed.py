"""Reports of pv-bench and of Python's engines stand in one table; what is none is refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from personvit.benchmark.cli import main
from personvit.benchmark.latency import Speedup, Timing
from personvit.core.machine import this_machine

TIMINGS = (
    Timing("engine", 8, 40.0, 44.0, 48.0, 80.0, 120),
    Timing("end to end", 8, 41.6, 45.6, None, 83.2, 60),
)
SPEEDUPS = (Speedup("end to end", "engine", 8, 0.96, 0.95, 0.98, 20),)


def report(**changes: Any) -> dict[str, Any]:
    """As pv-bench writes it."""
    return {
        "schema": 1,
        "kind": "native-speed",
        "title": "Native runtime, crops of 256x128",
        "version": "0.1.0",
        "command": "pv-bench m.pvb",
        "date": "2026-11-20T12:00:00+00:00",
        "load_average_before": 0.5,
        "load_average_after": None,
        "machine": {**this_machine().as_json(), "python": None},
        "engine": {"runtime": "openvino", "precision": "int8"},
        "start_ms": {"open": 400.0, "to_first_embedding": 480.0},
        "memory_bytes": {"resident": 100 << 20, "peak": 120 << 20},
        "milliseconds": [asdict(each) for each in TIMINGS],
        "speedups": [asdict(each) for each in SPEEDUPS],
        **changes,
    }


def of_python() -> dict[str, Any]:
    known = report(
        kind="engine-speed",
        title="CPU engines",
        command="personvit-benchmark engines",
        machine=this_machine().as_json(),
    )
    for name in ("engine", "start_ms", "memory_bytes"):
        del known[name]
    return known


@pytest.fixture
def written(tmp_path):
    def write(name: str, document: object) -> Path:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document))
        return path

    return write


def test_both_stand_in_one_table_and_one_document(written, tmp_path, capsys):
    files = [written("speed", report()), written("engines", of_python())]
    assert main.run(["native", *map(str, files), "-o", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out/native.md").read_text()
    assert page.count("| 5.00 | 5.50 | 6.00 | 10.00 |") == 2
    assert (
        "| C++ | end to end (openvino int8) | 8 | 5.20 | 5.70 |  | 10.40 | 0.96x engine |" in page
    )
    assert "| Python | end to end | 8 |" in page
    assert "| speed | 400 | 480 | 100 | 120 |" in page
    assert "different machines" not in page
    assert "5.20" in capsys.readouterr().out
    known = json.loads((tmp_path / "out/native.json").read_text())
    native, python = known["reports"]
    assert native["milliseconds"] == python["milliseconds"] == report()["milliseconds"]
    assert (native["start_ms"], python["start_ms"]) == (report()["start_ms"], None)
    assert python["machine"] == json.loads(json.dumps(this_machine().as_json()))
    assert native["machine"] == {**python["machine"], "python": "none"}


def test_different_machines_are_told(written, capsys):
    other = {**this_machine().as_json(), "cpu": "another one"}
    files = [written("here", report()), written("there", report(machine=other))]
    assert main.run(["native", *map(str, files)]) == 0
    assert "these are different machines, so no time compares: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "document, says",
    [
        ([], "expected an object"),
        (report(schema=2), "schema: is 2, not 1"),
        (report(kind="ranking-speed"), "kind: 'ranking-speed' is none of native-speed"),
        (report(milliseconds=[{"name": "engine"}]), "milliseconds[0]: lacks batch"),
        (report(start_ms={"open": "now", "to_first_embedding": 1}), "start_ms.open: expected"),
        ({"schema": 1, "kind": "native-speed"}, "lacks machine"),
    ],
)
def test_what_is_no_such_report_is_refused_with_its_place(written, capsys, document, says):
    path = written("r", document)
    assert main.run(["native", str(path)]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"error: {path}: ") and says in told and "pv-bench -o FILE" in told


def test_a_missing_report_is_a_sentence(tmp_path, capsys):
    assert main.run(["native", str(tmp_path / "none.json")]) == 1
    assert "none.json: cannot be read (No such file or directory)" in capsys.readouterr().err
