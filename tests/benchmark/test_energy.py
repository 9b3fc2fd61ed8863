"""Energy integrates to what the power was, and says what it is of."""

from __future__ import annotations

import importlib.util
import json
import os
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from personvit.benchmark.energy import EnergyMeter
from personvit.benchmark.energy_result import (
    Energy,
    Reading,
    energy_of,
    integrate,
    ratio,
    read_log,
)
from personvit.benchmark.tegrastats import parse_line
from personvit.core.errors import ConfigError, EnvironmentMismatch

HERE = Path(__file__).parent / "tegrastats"
BOXES = Path(__file__).parents[1] / "boxes"
WITHIN = 0.01


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("tegrastats_maker", HERE / "make_logs.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def readings(name: str) -> tuple[Reading, ...]:
    return read_log((HERE / f"{name}.log").read_text().splitlines())


def test_logs_are_what_the_script_makes(maker):
    for name, log in maker.LOGS.items():
        assert (HERE / f"{name}.log").read_text().splitlines() == list(maker.lines(log)), name


@pytest.mark.parametrize(
    ("name", "rail"),
    [
        ("agx-orin-jetpack5", "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0"),
        ("orin-nano-jetpack6", "VDD_IN"),
        ("thor-jetpack7", "VIN"),
        ("orin-nano-jetpack6-gaps", "VDD_IN"),
    ],
)
@pytest.mark.parametrize(("start", "stop"), [(0.0, 120.0), (10.0, 100.0), (30.0, 60.0)])
def test_a_log_integrates_to_the_energy_on_paper(maker, name, rail, start, stop):
    scale = maker.LOGS[name].scale
    exact = maker.exact_joules(start, stop, scale)
    energy = energy_of(readings(name), start, stop, crops=1000, idle=(0.0, 11.0))
    assert energy.joules == pytest.approx(exact, rel=WITHIN)
    assert energy.mj_per_crop == pytest.approx(exact, rel=WITHIN)
    assert energy.rail == rail
    # Eleven seconds are one ripple, so idle is the first corner's power.
    assert energy.idle_watts == pytest.approx(7.0 * scale, rel=WITHIN)
    added = exact - 7.0 * scale * (stop - start)
    assert energy.joules_above_idle == pytest.approx(added, abs=WITHIN * exact)


def test_ten_lines_of_one_second_are_spread_over_it(maker):
    found = read_log(list(maker.lines(maker.FAST)))
    exact = maker.exact_joules(21.0, 25.0, maker.FAST.scale)
    assert energy_of(found, 21.0, 25.0).joules == pytest.approx(exact, rel=WITHIN)


def test_cut_lines_are_counted(maker):
    energy = energy_of(readings("orin-nano-jetpack6-gaps"), 0.0, 120.0)
    assert any("lines lacked a rail" in note for note in energy.notes)


def test_a_log_without_times_is_refused():
    with pytest.raises(ConfigError, match="lines without a time"):
        read_log(["RAM 1/2MB VDD_IN 5000mW/5000mW"])


@pytest.mark.parametrize("times", [[0, 1, 2, 3], [0, 0.3, 2.9, 3], [0, 3]])
def test_irregular_samples_of_a_straight_line_are_exact(times):
    watts = [5 + 2 * time for time in times]
    assert integrate(times, watts, 0, 3) == pytest.approx(5 * 3 + 9)
    assert integrate(times, watts, 0.5, 2.5) == pytest.approx(5 * 2 + 6)


def test_the_edges_hold_the_nearest_value():
    assert integrate([1.0, 2.0], [4.0, 4.0], 0.0, 10.0) == pytest.approx(40.0)


def reading(at: float, text: str) -> Reading:
    return Reading(at, parse_line(f"RAM 1/2MB {text}"))


def test_a_falling_clock_and_heat_are_noted():
    found = [
        reading(0.0, "GR3D_FREQ 99%@[1300] tj@70C PMIC@100C VDD_IN 9000mW/1mW"),
        reading(1.0, "GR3D_FREQ 99%@[611] tj@96.5C PMIC@100C VDD_IN 9000mW/1mW"),
    ]
    notes = energy_of(found, 0.0, 1.0).notes
    assert any("between 611 and 1300 MHz" in note for note in notes)
    assert "hottest sensor 96 C" in notes


def test_unknown_rails_are_named_and_nothing_is_guessed():
    with pytest.raises(EnvironmentMismatch, match="VDD_CPU_CV, VDD_GPU_SOC"):
        energy_of([reading(0, "VDD_GPU_SOC 1mW VDD_CPU_CV 1mW")], 0.0, 1.0)


def test_a_run_between_two_lines_is_refused():
    found = [reading(0.0, "VDD_IN 5000mW"), reading(9.0, "VDD_IN 5000mW")]
    with pytest.raises(EnvironmentMismatch, match="no line within"):
        energy_of(found, 1.0, 1.2)


ENERGY = Energy(10.0, 10.0, 1.0, 100, 10, "VDD_IN", "the module's input", "MAXN")


def test_runs_are_compared_in_one_mode_on_one_rail():
    assert ratio(replace(ENERGY, joules=5.0), ENERGY) == pytest.approx(0.5)
    for other in (
        replace(ENERGY, power_mode="15W"),
        replace(ENERGY, power_mode=None),
        replace(ENERGY, rail="VIN"),
        replace(ENERGY, crops=0),
    ):
        with pytest.raises(ConfigError, match="compared"):
            ratio(ENERGY, other)


def test_idle_is_subtracted_only_where_it_was_measured():
    assert ENERGY.joules_above_idle is None
    assert "idle" not in ENERGY.as_text()
    measured = replace(ENERGY, idle_watts=4.0)
    assert measured.mj_per_crop == pytest.approx(100.0)
    assert measured.mj_per_crop_above_idle == pytest.approx(60.0)
    assert json.loads(json.dumps(measured.as_json()))["joules_above_idle"] == pytest.approx(6.0)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a script called tegrastats on PATH, before everything else."""

    def put(body: str) -> Path:
        script = tmp_path / "tegrastats"
        script.write_text(f"#!/bin/sh\necho $$ >'{tmp_path}/pid'\n{body}\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return tmp_path

    return put


PRINT = "echo 'RAM 1/2MB VDD_IN '{}'mW/1mW'"
STEADY = f"while :; do {PRINT.format(12500)}; sleep 0.05; done"


def wait_for(meter: EnergyMeter, count: int) -> None:
    while meter.samples < count:
        time.sleep(0.01)


def has_ended(folder: Path) -> bool:
    try:
        os.kill(int((folder / "pid").read_text()), 0)
    except ProcessLookupError:
        return True
    return False


def test_the_meter_measures_a_block_and_ends_the_process(install):
    folder = install(STEADY)
    with EnergyMeter(mode="MAXN") as meter:
        wait_for(meter, 5)
    energy = meter.energy(crops=10)
    assert energy.watts == pytest.approx(12.5)
    assert energy.joules == pytest.approx(12.5 * energy.seconds)
    assert energy.samples >= 4
    assert energy.power_mode == "MAXN"
    assert has_ended(folder)


def test_the_process_ends_when_the_block_fails(install):
    folder = install(STEADY)
    with pytest.raises(ZeroDivisionError), EnergyMeter():
        raise ZeroDivisionError
    assert has_ended(folder)


def test_a_process_that_will_not_end_is_killed(install, monkeypatch):
    monkeypatch.setattr("personvit.benchmark.energy.PATIENCE_S", 0.3)
    folder = install(f"trap '' TERM\n{STEADY}")
    with EnergyMeter() as meter:
        wait_for(meter, 1)
    assert has_ended(folder)


def test_idleness_is_measured_before_the_block(install, tmp_path):
    busy = tmp_path / "busy"
    lines = f"if [ -e '{busy}' ]; then {PRINT.format(15000)}; else {PRINT.format(5000)}; fi"
    install(f"while :; do {lines}; sleep 0.05; done")
    with EnergyMeter(idle_s=0.3, mode="MAXN") as meter:
        busy.touch()
        wait_for(meter, meter.samples + 6)
    energy = meter.energy()
    assert energy.idle_watts == pytest.approx(5.0)
    assert 5.0 < energy.watts <= 15.0
    assert energy.mj_per_crop is None


def test_without_tegrastats_the_block_runs_and_energy_says_why(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not EnergyMeter.usable()
    with EnergyMeter() as meter:
        done = True
    assert done
    with pytest.raises(EnvironmentMismatch, match="no tegrastats here"):
        meter.energy(1)


@pytest.mark.parametrize("body", ["exit 3", "echo 'must be root'", "echo 'RAM 1/2MB CPU [1%@9]'"])
def test_a_tegrastats_that_tells_no_power_is_an_error_that_says_so(install, body):
    install(body)
    with EnergyMeter(mode="MAXN") as meter:
        pass
    with pytest.raises(EnvironmentMismatch, match="rails"):
        meter.energy(1)


def test_on_a_box_the_power_mode_is_the_boards(monkeypatch):
    box = BOXES / "orin-nano-jp62"
    monkeypatch.setenv("PATH", f"{box / 'usr/bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PERSONVIT_SYSTEM_ROOT", str(box))
    with EnergyMeter() as meter:
        wait_for(meter, 2)
    energy = meter.energy(crops=1)
    assert energy.rail == "VDD_IN"
    assert energy.power_mode
