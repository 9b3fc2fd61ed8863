"""The acceptance of a device: everything is done for real, shortly, on what is no Jetson."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from personvit.deploy_jetson import acceptance_power, acceptance_speed
from personvit.deploy_jetson.acceptance import report_name, title
from personvit.deploy_jetson.cli import main
from personvit.engines.device_facts import DeviceFacts

SHORT = [
    *("--seconds", "0.2", "--soak", "0.5", "--gaps", "0,0.01"),
    *("--requests", "40", "--runtime", "openvino"),
]
STEPS = ["doctor", "install", "golden", "speed, as it is", "soak", "pauses", "service", "rollback"]


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path / "results"


def test_a_plain_machine_goes_through_every_step_and_says_what_it_is(out, bundles) -> None:
    assert main.run(["acceptance", str(bundles[0]), "-o", str(out), *SHORT]) == 0
    (path,) = out.glob("*.json")
    assert path.name.startswith("not-a-jetson-")
    found = json.loads(path.read_text())
    assert found["passed"] and not found["jetson"]
    assert [step["name"] for step in found["steps"]] == STEPS
    assert [each["batch"] for each in found["speeds"]] == [1, 8]
    assert len(found["soak"]) == acceptance_speed.WINDOWS
    assert found["service"]["statuses"] == {"200": 40}
    assert found["attest"]["verdict"]["chosen"] == "cpu"
    page = path.with_suffix(".md").read_text()
    assert page.startswith("# Acceptance run, NOT ON A JETSON")
    assert "nothing about a board" in page
    assert "personvit-deploy acceptance" in page
    assert "NOT A JETSON" in found["row_for_results"][0]


def test_a_board_in_a_box_is_not_taken_for_a_board(out, bundles, board, capfd) -> None:
    words = ["acceptance", str(bundles[0]), "-o", str(out), *SHORT, "--mode", "15W"]
    assert main.run([*words, "--mode", "MAXN_SUPER"]) == 2
    assert "a restart is needed" in capfd.readouterr().err
    (path,) = out.glob("*.json")
    assert path.name == "not-a-jetson-orin-nano-engineering-reference-developer-kit-super.json"
    found = json.loads(path.read_text())
    assert [each["mode"] for each in found["speeds"]] == ["15W", "15W"]
    failed = [step["name"] for step in found["steps"] if not step["passed"]]
    assert failed == ["speed, MAXN_SUPER"], "a step that could not run is not left out"
    assert found["device"]["jetpack"] == "6.2"
    assert (found["jetson"], found["passed"]) == (False, False)
    assert board.read_text() == "25W\n"


def test_energy_is_measured_where_tegrastats_is(tree, monkeypatch) -> None:
    tools = tree / "tests/boxes/orin-nano-jp62/usr/bin"
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    found = acceptance_speed.speed(lambda: sum(range(1000)), 8, "25W", seconds=0.5)
    assert found.energy.crops == 8 * found.call.calls
    assert found.energy.mj_per_crop > 0


def test_a_bundle_that_drifts_is_not_accepted_and_the_report_says_where(
    out, bundles, tmp_path, capfd
) -> None:
    damaged = tmp_path / "damaged.pvb"
    data = bytearray(bundles[0].read_bytes())
    data[-2000] ^= 1
    damaged.write_bytes(data)
    assert main.run(["acceptance", str(damaged), "-o", str(out), *SHORT]) in (1, 2)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["m.pvb"], "-o benchmark/results"),
        (["m.pvb", "-o", "o", "--batches", "one"], "numbers with commas"),
        (["m.pvb", "-o", "o", "--gaps", "-1"], "below 0"),
        (["m.pvb", "-o", "o", "--mode", "MAXN"], "there is no nvpmodel"),
    ],
)
def test_wrong_options_are_a_sentence(words, sentence, tmp_path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.run(["acceptance", *words]) == 1
    assert sentence in capfd.readouterr().err


def test_a_boards_file_is_named_after_its_module() -> None:
    orin = DeviceFacts(kind="jetson", module="NVIDIA Jetson AGX Orin Developer Kit")
    assert report_name(orin, True, "") == "jetson-agx-orin-developer-kit"
    assert title(orin, True, "") == "Acceptance of NVIDIA Jetson AGX Orin Developer Kit"


NVPMODEL = """#!/bin/sh
case "$1" in
-q) printf 'NV Power Mode: %s\\n' "$(cat "{state}")" ;;
-m) echo "$2" >> "{asked}"
    [ "$2" = 2 ] && echo 'a restart is needed' && exit 1
    [ "$2" = 0 ] && echo 15W > "{state}"
    [ "$2" = 1 ] && echo 25W > "{state}" ;;
esac
"""


@pytest.fixture
def board(tmp_path, tree, monkeypatch):
    """The modes of an Orin Nano, and a tool that obeys but for one of them."""
    tools, state = tmp_path / "bin", tmp_path / "state"
    tools.mkdir()
    state.write_text("25W\n")
    script = tools / "nvpmodel"
    script.write_text(NVPMODEL.format(state=state, asked=tmp_path / "asked"))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    box = tmp_path / "box"
    shutil.copytree(tree / "tests/boxes/orin-nano-jp62", box)
    monkeypatch.setenv("PERSONVIT_SYSTEM_ROOT", str(box))
    return state


def test_a_mode_is_entered_and_left_as_it_was_found(board) -> None:
    assert acceptance_power.wanted_modes(()) == ("25W",)
    assert set(acceptance_power.wanted_modes(("all",))) == {"7W", "15W", "25W", "MAXN_SUPER"}
    with acceptance_power.entered("15W") as refused:
        assert refused == ""
        assert board.read_text() == "15W\n"
    assert board.read_text() == "25W\n"
    with acceptance_power.entered("MAXN_SUPER") as refused:
        assert "a restart is needed" in refused
    assert board.read_text() == "25W\n"
