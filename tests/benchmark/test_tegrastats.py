"""Lines of tegrastats as boards of four generations print them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personvit.benchmark.power_rails import total_of, watts_of
from personvit.benchmark.tegrastats import Sample, parse_line, parse_lines

LINES = (Path(__file__).parent / "tegrastats" / "lines.txt").read_text().splitlines()
AGX_JP5, NANO_JP6, AGX_JP72, THOR_JP72, THOR_JP71, TX2 = LINES


def watts(line: str) -> float:
    rails = parse_line(line).rails
    return watts_of(rails, total_of(rails))


@pytest.mark.parametrize(
    ("line", "module", "expected"),
    [
        (AGX_JP5, "AGX Orin", 2.399 + 0.4 + 4.032),
        (AGX_JP72, "AGX Orin", 5.139 + 3.268 + 5.5),
        (NANO_JP6, "Orin Nano, Orin NX, Xavier NX, TX2", 5.704),
        (THOR_JP72, "AGX Thor", 87.426),
        (THOR_JP71, "AGX Thor", 19.78),
        (TX2, "Orin Nano, Orin NX, Xavier NX, TX2", 5.297),
        ("RAM 1/2MB POM_5V_IN 4096/3500 POM_5V_GPU 1000/900 POM_5V_CPU 800/700", "Nano", 4.096),
    ],
)
def test_the_power_of_the_whole_module(line, module, expected):
    assert total_of(parse_line(line).rails).modules == module
    assert watts(line) == pytest.approx(expected)


def test_everything_else_of_a_line():
    sample = parse_line(AGX_JP72)
    assert sample.stamp == datetime(2026, 7, 25, 9, 8, 28)
    assert sample.memory_mb == (20642, 62817)
    assert sample.swap_mb is None
    assert (sample.gpu_load, sample.gpu_mhz) == (12, 1300)
    assert sample.memory_mhz == 3199
    assert sample.cpu_mhz == (2201,) * 12
    assert sample.temperatures["gpu"] == 47.625


@pytest.mark.parametrize(
    ("text", "load", "clock"),
    [
        ("GR3D_FREQ 0%", 0, None),
        ("GR3D_FREQ 37%@114", 37, 114),
        ("GR3D_FREQ 0%@[305]", 0, 305),
        ("GR3D_FREQ 12%@[1300,1300]", 12, 1300),
        ("GR3D_FREQ @[314,314,314]", None, 314),
        ("GR3D_FREQ 0%@0", 0, None),
        ("GR3D_FREQ off", None, None),
        ("", None, None),
    ],
)
def test_forms_of_the_gpu(text, load, clock):
    sample = parse_line(f"RAM 1/2MB {text} APE 150")
    assert (sample.gpu_load, sample.gpu_mhz) == (load, clock)


@pytest.mark.parametrize(
    ("text", "clocks"),
    [
        ("CPU [5%@729,off,3%@1200]", (729, 1200)),
        ("CPU [0%,5%,off]@2601", (2601, 2601)),
        ("CPU [5%,3%]", ()),
        ("", ()),
    ],
)
def test_forms_of_the_processor(text, clocks):
    assert parse_line(f"RAM 1/2MB {text}").cpu_mhz == clocks


@pytest.mark.parametrize(
    "form", ["6848mW", "6848mW/1mW", "6848/1", "6848mW/1mW/9000mW", "6848/1/2"]
)
def test_forms_of_a_rail_give_what_is_drawn_now(form):
    assert parse_line(f"RAM 929/7620MB SWAP 0/3810MB VDD_IN {form}").rails == {"VDD_IN": 6848}


def test_a_sleeping_gpu_may_read_below_zero():
    assert (
        parse_line("RAM 1/2MB VDD_GPU -392mW/-392mW VIN 15004mW/15096mW").rails["VDD_GPU"] == -392
    )


def test_sensors_that_are_off_and_unconnected_rails_are_left_out():
    sample = parse_line(AGX_JP5)
    assert "gpu" not in sample.temperatures
    assert "NC" not in sample.rails


def test_a_line_without_all_rails_of_the_total_has_no_total():
    whole = parse_line(AGX_JP5).rails
    assert watts_of({"VDD_GPU_SOC": 2399}, total_of(whole)) is None
    assert total_of({"VDD_GPU_SOC": 2399, "VDD_CPU_CV": 400}) is None


def test_other_lines_are_passed_over():
    other = ["", "tegrastats: not found", "[sudo] password for user:", AGX_JP5]
    assert [sample.stamp for sample in parse_lines(other)] == [datetime(2023, 4, 24, 0, 1, 24)]


@given(st.integers(0, len(LINES) - 1), st.integers(0, 900), st.integers(0, 900))
def test_any_part_of_a_line_is_read_or_passed_over(which, start, stop):
    sample = parse_line(LINES[which][start:stop])
    assert sample is None or isinstance(sample, Sample)
