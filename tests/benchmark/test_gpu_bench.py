"""The GPU bench runs for real on a processor; what a GPU alone can show is tests/gpu."""

from __future__ import annotations

import json
import os
import stat
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from personvit.benchmark import gpu_bench as bench
from personvit.benchmark.cli import main
from personvit.benchmark.gpu_bench import GpuBenchOptions
from personvit.benchmark.gpu_entrants import ENTRANTS
from personvit.benchmark.gpu_race import Call, HostClock, race
from personvit.benchmark.gpu_report import Measured, gpu_report
from personvit.benchmark.gpu_watch import GpuWatch, parse_moment, summary
from personvit.benchmark.report import Setting
from personvit.core.errors import ConfigError, EnvironmentMismatch, InternalError
from personvit.core.models.registry import config_of
from personvit.export.speed_graphs import SpeedGraphsOptions, speed_graphs

SHORT = {"device": "cpu", "models": "vit_micro_16", "batches": "1,2", "rounds": 1, "steady": 0.0}


@pytest.fixture(scope="module")
def graphs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    speed_graphs(SpeedGraphsOptions(folder, ("vit_micro_16",)))
    return folder


@pytest.fixture(scope="module")
def report(graphs, tmp_path_factory) -> tuple[dict, str]:
    out = tmp_path_factory.mktemp("out")
    only = "eager fp32,eager bf16,onnxruntime,tensorrt"
    bench.gpu_bench(GpuBenchOptions(out=out, graphs=graphs, only=only, **SHORT))
    return json.loads((out / "cpu.json").read_text()), (out / "cpu.md").read_text()


def test_every_form_is_written_and_can_be_told_apart(graphs):
    kinds = {path.stem.removeprefix("vit_micro_16-") for path in graphs.glob("*.onnx")}
    assert kinds == {
        *("cpu-fp32", "cpu-int8", "trt-decomposed-fp16", "trt-decomposed-int8"),
        *("trt-attention-fp16", "trt-attention-int8"),
    }


def test_who_can_run_is_timed_at_every_batch(report):
    (model,) = report[0]["models"]
    timed = {(row["entrant"], row["batch"]) for row in model["timings"]}
    names = ("torch eager fp32", "torch eager bf16", "onnxruntime fp32", "onnxruntime int8")
    assert timed == {(name, batch) for name in names for batch in (1, 2)}
    for row in model["timings"]:
        assert 0 < row["p50"] <= row["p90"] <= row["p99"]
        assert row["crops_per_second"] == pytest.approx(1000 * row["batch"] / row["p50"])
        assert row["share_of_roofline"] is None
    assert model["gflop_per_crop"] == pytest.approx(0.727, abs=0.01)


def test_all_compute_the_same_model(report):
    (model,) = report[0]["models"]
    cosines = {name: one["worst_cosine_to_fp32"] for name, one in model["entrants"].items()}
    assert cosines["onnxruntime fp32"] == pytest.approx(1, abs=1e-5)
    assert all(cosine > 0.95 for cosine in cosines.values())


def test_who_cannot_run_is_listed_with_the_reason(report):
    (model,) = report[0]["models"]
    absent = model["absent"]
    assert {*absent, *model["entrants"]} == {each.name for each in ENTRANTS}
    assert absent["tensorrt int8"] == "it runs on a GPU only"
    assert "a processor emulates" in absent["onnxruntime fp16"]
    assert "left out by --only" in absent["torch compiled fp16"]
    assert all(absent.values())


def test_the_page_says_what_it_is_not(report):
    _, page = report
    assert "a rehearsal on a processor" in page
    assert "weights are random" in page
    assert "vit_micro_16: who did not" in page


def test_without_a_gpu_one_sentence_and_exit_code_3(capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main.run(["gpu"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("error: no CUDA device answers")
    assert len(said.splitlines()) == 1


def test_without_graphs_the_onnx_runtimes_say_what_to_do(tmp_path):
    found = bench.gpu_bench(GpuBenchOptions(only="onnxruntime fp32", **SHORT)).facts["models"][0]
    assert "speed_graphs" in found["absent"]["onnxruntime fp32"]
    missing = GpuBenchOptions(only="onnxruntime fp32", graphs=tmp_path, **SHORT)
    found = bench.gpu_bench(missing).facts["models"][0]
    assert "is not there" in found["absent"]["onnxruntime fp32"]


def test_what_the_time_does_not_allow_is_listed():
    options = {**SHORT, "minutes": 0.0}
    model = bench.gpu_bench(GpuBenchOptions(**options)).facts["models"][0]
    assert set(model["absent"]) == {each.name for each in ENTRANTS}
    assert {*model["absent"].values()} == {"no time was left; give more with --minutes"}
    assert model["timings"] == []


def test_an_entrant_that_fails_is_listed_and_the_rest_goes_on(monkeypatch):
    def broken(case):
        raise RuntimeError("cuDNN error: out of everything\nand a long trace")

    entrants = (ENTRANTS[0], replace(ENTRANTS[1], open=broken))
    monkeypatch.setattr(bench, "ENTRANTS", entrants)
    model = bench.gpu_bench(GpuBenchOptions(**SHORT)).facts["models"][0]
    assert model["absent"] == {ENTRANTS[1].name: "RuntimeError: cuDNN error: out of everything"}
    assert len(model["timings"]) == 2


@pytest.mark.parametrize("batches", ["", "0", "1,x", "-1"])
def test_wrong_batch_sizes_are_refused(batches):
    with pytest.raises(ConfigError, match="batch sizes"):
        bench.gpu_bench(GpuBenchOptions(**{**SHORT, "batches": batches}))


class PretendedClock:
    """Each call takes what the entrant says, on the device and on the wall."""

    def call(self, run):
        return Call(*run())

    def wait(self):
        pass


def test_entrants_take_turns_and_rounds_end_at_the_deadline():
    order = []
    runs = {name: lambda name=name: order.append(name) or (1.0, 2.0) for name in "abc"}
    race(runs, PretendedClock(), rounds=3, calls=1, deadline=time.monotonic() + 60)
    visits = order[15:]
    assert visits[::2] == list("abcbcacab")
    timed = race(runs, PretendedClock(), rounds=99, calls=1, deadline=0.0)
    assert {timing.rounds for timing in timed.values()} == {1}


def test_host_entrants_are_timed_by_the_wall_clock():
    timed = race(
        {"device": lambda: (1.0, 2.0), "host": lambda: (1.0, 2.0)}, PretendedClock(),
        rounds=2, calls=2, deadline=time.monotonic() + 60, host=["host"],
    )  # fmt: skip
    assert (timed["device"].p50, timed["host"].p50) == (1.0, 2.0)
    assert timed["device"].calls == 4


def test_a_call_that_was_not_waited_for_is_refused():
    with pytest.raises(InternalError, match="was not waited for"):
        race(
            {"queued": lambda: (5.0, 0.1)}, PretendedClock(),
            rounds=1, calls=1, deadline=time.monotonic() + 60,
        )  # fmt: skip


def test_nobody_there_is_no_crash():
    assert race({}, HostClock(), rounds=2, calls=1, deadline=0.0) == {}


def test_shares_of_the_roofline_on_a_known_device():
    config = config_of("vit_small_16")
    timed = race(
        {"torch eager fp16": lambda: (0.38, 0.4), "torch eager fp32": lambda: (2.0, 2.1)},
        PretendedClock(), rounds=1, calls=1, deadline=time.monotonic() + 60,
    )  # fmt: skip
    measured = Measured(
        "vit_small_16", config, {(name, 32): timing for name, timing in timed.items()},
        {}, {}, dict.fromkeys(timed, "pretended"), {}, {},
    )  # fmt: skip
    device = {"name": "NVIDIA H200", "kind": "cuda", "capability": [9, 0]}
    made = gpu_report("a test", Setting(), device, [measured])
    rows = {row["entrant"]: row for row in made.facts["models"][0]["timings"]}
    assert rows["torch eager fp16"]["share_of_roofline"] == pytest.approx(0.5, abs=0.005)
    assert rows["torch eager fp32"]["share_of_roofline"] is None
    assert "| 49.9% |" in made.as_markdown()


def test_a_jetson_is_known_by_its_module_memory_and_mode():
    device = {
        "name": "NVIDIA Jetson Orin Nano Developer Kit Super", "kind": "cuda",
        "capability": [8, 7], "memory": int(7.4 * 2**30), "power_mode": "MAXN_SUPER",
    }  # fmt: skip
    assert "Orin Nano 8 GB Super" in gpu_report("a test", Setting(), device, []).as_text()
    unknown = gpu_report("a test", Setting(), {**device, "power_mode": None}, [])
    assert "peaks of this device are not known" in unknown.as_text()


LINE = "104.21, 1980, 3201, 45, 0x0000000000000004"


def test_a_line_of_nvidia_smi():
    moment = parse_moment(LINE, 7.0)
    assert (moment.at, moment.watts, moment.sm_mhz, moment.celsius) == (7.0, 104.21, 1980, 45)
    assert parse_moment("[N/A], 345, [N/A], [N/A], [N/A]", 0.0).watts is None
    for other in ("", "No devices were found", "a, b", "[N/A], [N/A], 1, 2, 0x0"):
        assert parse_moment(other, 0.0) is None


def test_power_integrates_and_throttling_is_named():
    lines = ["100, 1980, 3201, 45, 0x0", "200, 1500, 3201, 80, 0x24", "300, 1980, 3201, 60, 0x1"]
    moments = [parse_moment(line, float(at)) for at, line in enumerate(lines)]
    seen = summary(moments, 0.0, 2.0)
    assert seen.joules == pytest.approx(400)
    assert seen.watts == pytest.approx(200)
    assert seen.sm_mhz == (1500, 1980)
    assert seen.throttled == ("power cap", "hot (software)")
    assert summary(moments, 5.0, 6.0) is None


SMI = """#!/bin/sh
case "$*" in
    *power.draw.instant*) exit 6 ;;
    *loop-ms*) while :; do echo '{line}'; sleep 0.02; done ;;
esac
"""


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """An older driver's, which knows power.draw only."""
    script = tmp_path / "nvidia-smi"
    script.write_text(SMI.format(line=LINE))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_the_watch_reads_nvidia_smi_and_ends_it(nvidia_smi):
    with GpuWatch() as watch:
        began = time.monotonic()
        while watch.since(began) is None or watch.since(began).samples < 3:
            time.sleep(0.01)
        seen = watch.since(began)
    assert seen.watts == pytest.approx(104.21)
    assert seen.throttled == ("power cap",)
    assert watch._process.poll() is not None


def test_steady_work_tells_energy_per_crop(nvidia_smi):
    options = {**SHORT, "steady": 0.3, "batches": "1"}
    found = bench.gpu_bench(GpuBenchOptions(only="eager fp32", **options))
    (row,) = found.facts["models"][0]["steady"]
    assert row["watts"] == pytest.approx(104.21)
    assert row["crops"] >= 1
    assert "steady work" in found.as_markdown()


def test_without_nvidia_smi_there_is_no_power(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with GpuWatch() as watch:
        assert watch.since(0.0) is None


def test_crops_are_the_same_for_all():
    config = config_of("vit_micro_16")
    case = bench.Case("vit_micro_16", config, "cpu", (2,), None, Path())
    np.testing.assert_array_equal(case.crops(2), case.crops(2))
    with pytest.raises(EnvironmentMismatch, match="no graphs were given"):
        case.graph("cpu", "fp32")
