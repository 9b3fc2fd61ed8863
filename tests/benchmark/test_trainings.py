"""Trainings as processes: what ends them, and the data set they share."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from personvit.benchmark import trainings
from personvit.benchmark.trainings import TrainingFailed, drawn, going_on, train
from personvit.core.data.synth import SynthOptions
from personvit.core.errors import ConfigError, DataError

PYTHON = sys.executable


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Puts a program of these lines where `personvit-train` lies."""

    def place(*lines: str) -> None:
        path = tmp_path / "bin" / "personvit-train"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join((f"#!{sys.executable}", *lines)))
        path.chmod(0o755)
        monkeypatch.setattr(trainings.sys, "executable", str(path.parent / "python"))

    return place


@pytest.mark.parametrize(
    ("line", "code"),
    [("raise SystemExit(3)", 3), ("raise SystemExit(130)", 130), ("import os; os.abort()", 1)],
)
def test_a_training_that_fails_ends_the_table_with_its_exit_code(program, line, code) -> None:
    program(line)
    with pytest.raises(TrainingFailed, match="personvit-train distill ended with") as raised:
        train("distill", "teacher", "student")
    assert raised.value.exit_code == code


def test_a_training_gets_its_words(program, tmp_path) -> None:
    program(
        "import sys, pathlib", f"pathlib.Path({str(tmp_path / 'said')!r}).write_text(sys.argv[2])"
    )
    train("new", 7)
    assert (tmp_path / "said").read_text() == "7"


def test_an_interrupted_table_lets_the_training_save_where_it_is(program, tmp_path) -> None:
    """The table is a process of its own here: the interrupt is meant for nobody else."""
    ready, saved = tmp_path / "ready", tmp_path / "saved"
    program(
        "import pathlib, signal, time",
        "def stop(*_):",
        "    time.sleep(1)",  # longer than subprocess.run would wait
        f"    pathlib.Path({str(saved)!r}).touch()",
        "    raise SystemExit(130)",
        "signal.signal(signal.SIGTERM, stop)",
        f"pathlib.Path({str(ready)!r}).touch()",
        "time.sleep(60)",
    )
    lines = (
        "import signal, sys",
        "signal.signal(signal.SIGINT, signal.default_int_handler)",  # which a script's & takes away
        "from personvit.benchmark.trainings import train",
        f"sys.executable = {trainings.sys.executable!r}",
        "try: train('pretrain')",
        "except KeyboardInterrupt: print('interrupted')",
    )
    table = subprocess.Popen([PYTHON, "-c", "\n".join(lines)], stdout=subprocess.PIPE, text=True)
    while not ready.exists():
        assert table.poll() is None
        time.sleep(0.05)
    table.send_signal(signal.SIGINT)
    said, _ = table.communicate(timeout=60)
    assert said == "interrupted\n"
    assert saved.exists()


def test_a_data_set_is_drawn_once_and_another_one_is_refused(tmp_path) -> None:
    wanted = SynthOptions(
        out=tmp_path / "work/data",
        identities=4,
        train_identities=2,
        cameras=2,
        images_per_camera=2,
        height=64,
        width=32,
    )
    drawn(wanted)
    before = (wanted.out / "synth.json").stat().st_mtime_ns
    drawn(wanted)
    assert (wanted.out / "synth.json").stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match=r"identities 4 \(now 6\).*another --work"):
        drawn(replace(wanted, identities=6))
    with pytest.raises(ConfigError, match=r"domain campus \(now lobby\)"):
        drawn(replace(wanted, domain="lobby"))


def test_a_file_is_no_place_for_a_data_set(tmp_path) -> None:
    (tmp_path / "work").touch()
    with pytest.raises(ConfigError, match="--work takes a folder"):
        drawn(SynthOptions(out=tmp_path / "work/data"))


@pytest.mark.parametrize("text", [None, "{", "[]", json.dumps({"options": 3})])
def test_a_folder_that_synth_did_not_draw_is_refused(tmp_path, text) -> None:
    (tmp_path / "data").mkdir()
    if text is not None:
        (tmp_path / "data" / "synth.json").write_text(text)
    with pytest.raises(DataError, match="no data set of personvit-data synth"):
        drawn(SynthOptions(out=tmp_path / "data"))


def test_a_run_that_was_begun_is_gone_on_with(tmp_path) -> None:
    assert going_on(tmp_path) == ()
    (tmp_path / "run.json").touch()
    assert going_on(tmp_path) == ("--resume",)
