"""`personvit-engine doctor`: what it tells of each device in a box, and of this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from personvit.core.errors import EnvironmentMismatch, UserError
from personvit.engines import doctor_runtimes, doctor_software
from personvit.engines.base import EngineSpec
from personvit.engines.cli import main
from personvit.engines.device_facts import DeviceFacts, read_device
from personvit.engines.doctor import findings
from personvit.engines.doctor_runtimes import target_of
from personvit.engines.doctor_text import WIDTH
from personvit.export.variants import TARGETS

BOXES = ("orin-nano-jp62", "agx-orin-jp72", "thor-jp71")
GIB = 2**30


@pytest.fixture
def enter(monkeypatch, shared):
    return lambda name, root=None: shared("boxes/entering.py").enter(monkeypatch, name, root)


@pytest.fixture
def copy(tree, tmp_path):
    return lambda name: shutil.copytree(tree / "tests/boxes" / name, tmp_path / "root")


@pytest.fixture
def ask(capsys):
    def run(*words: str, code: int = 0) -> dict:
        assert main.run(["doctor", *words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def runnable(monkeypatch):
    """Which engines can run is said by the test and not by what is installed here."""

    def only(*names: str) -> None:
        def engine(name: str) -> EngineSpec:
            usable = name in names, "" if name in names else f"pip install {name}"
            return EngineSpec(name, name, "a bundle", lambda: usable, lambda source, options: None)

        monkeypatch.setattr(doctor_runtimes, "engine_named", engine)

    return only


@pytest.fixture(scope="session")
def for_devices(small_bundle, tmp_path_factory) -> Path:
    """A bundle for TensorRT before 10.14, for later ones, and for no processor."""
    place = tmp_path_factory.mktemp("devices") / "devices.pvb"
    return small_bundle.write(place, "int8", kind="trt-decomposed", also=("trt-attention",))


@pytest.fixture(scope="session")
def for_processors(small_bundle, tmp_path_factory) -> Path:
    return small_bundle.write(tmp_path_factory.mktemp("processors") / "cpu.pvb", "int8")


def topics(found: dict) -> set[tuple[str, str]]:
    return {(one["topic"], one["level"]) for one in found["findings"]}


def ids(found: dict) -> set[str]:
    return {row["id"] for row in found["known_bad"]}


@pytest.mark.parametrize(
    ("box", "rows", "absent"),
    [
        ("orin-nano-jp62", {"trt-10.3-dynamic-shapes", "small-memory-builds"}, "trt-10.7-sdpa"),
        ("agx-orin-jp72", {"trt-10.16-attention", "jp7.2-old-containers"}, "small-memory-builds"),
        ("thor-jp71", {"trt-10.13-thor-batch-1", "thor-fp8"}, "trt-10.13-orin"),
    ],
)
def test_each_box_gets_the_rows_of_its_toolchain(enter, ask, box, rows, absent):
    enter(box)
    found = ask()
    assert rows <= ids(found)
    assert absent not in ids(found)
    assert found["device"]["kind"] == "jetson"
    for row in found["known_bad"]:
        assert row["sources"]
        assert row["run"]


@pytest.mark.parametrize("box", [*BOXES, None])
def test_the_text_fits_a_terminal_and_says_what_the_json_says(enter, ask, capsys, box):
    if box:
        enter(box)
    found = ask()
    assert main.run(["doctor"]) == 0
    text = capsys.readouterr().out
    for line in text.splitlines():
        assert len(line) <= WIDTH or "https://" in line
    flat = " ".join(text.split())
    for one in found["findings"]:
        assert " ".join(one["says"].split()) in flat
        assert " ".join(one["mend"].split()) in flat
    for row in found["known_bad"]:
        assert row["id"] in flat
        assert row["settled"] or (row["title"] in flat and row["mend"] in flat)
    assert f"Ready: {found['serves']} serves bundles" in flat
    assert "\n\n\n" not in text


def test_a_machine_with_nothing_of_nvidia_is_told_what_serves(runnable, ask, tmp_path, monkeypatch):
    monkeypatch.setenv("PERSONVIT_SYSTEM_ROOT", str(tmp_path / "empty"))
    monkeypatch.setattr("personvit.engines.device_gpu.open_device", refuse)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    runnable("openvino")
    found = ask()
    assert (found["device"]["kind"], found["serves"], found["ready"]) == ("cpu", "openvino", True)
    assert found["known_bad"] == []
    assert not {level for _, level in topics(found)} & {"must"}


def refuse() -> None:
    raise EnvironmentMismatch("none")


def test_where_nothing_can_serve_the_report_is_printed_and_the_code_is_3(runnable, ask, capsys):
    runnable()
    found = ask(code=EnvironmentMismatch.exit_code)
    assert (found["ready"], found["serves"]) == (False, None)
    assert main.run(["doctor"]) == EnvironmentMismatch.exit_code
    shown = capsys.readouterr().out
    assert "pip install tensorrt" in shown
    assert "Not ready" in shown


@pytest.mark.parametrize(
    ("box", "target", "taken"),
    [
        ("orin-nano-jp62", "trt10.3", ["trt-decomposed"]),
        ("thor-jp71", "trt10.13", ["trt-decomposed"]),
        ("agx-orin-jp72", "trt10.16", ["trt-attention", "trt-decomposed"]),
    ],
)
def test_it_says_what_each_runtime_takes_of_a_bundle(
    enter, ask, capsys, for_devices, for_processors, box, target, taken
):
    enter(box)
    found = ask(str(for_devices), code=EnvironmentMismatch.exit_code)
    tensorrt = next(one for one in found["runtimes"] if one["name"] == "tensorrt")
    assert (tensorrt["target"], tensorrt["variants"]) == (target, taken)
    assert not found["ready"]
    assert main.run(["doctor", str(for_processors)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"export the weights with --target {target}" in shown
    assert f"Ready: openvino serves {for_processors}" in shown


def test_only_the_rows_of_the_bundles_precisions_are_told(enter, ask, small_bundle, tmp_path):
    enter("orin-nano-jp62")
    half = small_bundle.write(tmp_path / "half.pvb", "fp32", kind="trt-decomposed", also=("cpu",))
    found = ask(str(half))
    assert "trt-10.3-fp16-vit" in ids(found)
    assert "int8-slower" not in ids(found)
    assert "int8-slower" in ids(ask())


def test_the_largest_batch_chooses_the_rows(enter, ask):
    enter("thor-jp71")
    assert "trt-10.13-thor-batch-1" in ids(ask("--batch", "1"))
    assert "trt-10.13-thor-batch-1" not in ids(ask("--batch", "1,8"))
    enter("orin-nano-jp62")
    assert "trt-10.3-dynamic-shapes" not in ids(ask("--batch", "1"))
    assert "trt-10.3-dynamic-shapes" in ids(ask("--batch", "1,8"))
    for wrong in ("", "0", "1,x", "-1"):
        assert main.run(["doctor", "--batch", wrong]) == UserError.exit_code


def test_a_wrong_bundle_is_a_sentence(tmp_path, capsys):
    (tmp_path / "no.pvb").write_text("x")
    assert main.run(["doctor", str(tmp_path / "no.pvb")]) == UserError.exit_code
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "target"),
    [
        ("10.3.0.30", "trt10.3"),
        ("10.7", "trt10.3"),
        ("10.13.3.9", "trt10.13"),
        ("10.14.1", "trt10.16"),
        ("10.16.2.10", "trt10.16"),
        ("11.4.1", "trt11"),
        ("8.6.2", None),
        (None, None),
    ],
)
def test_the_target_suits_the_version_and_exists(version, target):
    assert target_of("tensorrt", version) == target
    if target:
        kinds = doctor_runtimes.PACKAGES["tensorrt"].kinds(version)
        assert TARGETS[target].variant == kinds[0]
    for name in ("tensorrt_rtx", "openvino", "onnxruntime"):
        assert target_of(name, version) in TARGETS


def said(device: DeviceFacts, root: Path, topic: str) -> str:
    return " ".join(
        f"{one.says} {one.mend}" for one in findings(device, root) if one.topic == topic
    )


def test_the_wrong_python_is_told_the_right_one(enter):
    root = enter("orin-nano-jp62")
    device = read_device()
    told = said(replace(device, python="3.12.3"), root, "tensorrt")
    assert "Python 3.12" in told
    assert "python3.10 -m venv --system-site-packages" in told


def test_an_environment_without_the_systems_packages_is_told_so(enter, monkeypatch):
    root = enter("orin-nano-jp62")
    device = replace(read_device(), python="3.10.12", tensorrt_python=None)
    monkeypatch.setattr(sys, "prefix", "/somewhere/else")
    assert "cannot see the system's packages" in said(device, root, "tensorrt")
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert "/usr/bin/python3.10" in said(device, root, "tensorrt")


def test_a_missing_binding_and_a_bare_board_are_told_what_to_install(copy, enter):
    root = copy("agx-orin-jp72")
    status = root / "var/lib/dpkg/status"
    status.write_text(status.read_text().replace("python3-libnvinfer", "python3-something"))
    enter("agx-orin-jp72", root)
    assert "apt install python3-libnvinfer" in said(read_device(), root, "tensorrt")
    status.write_text("")
    os.utime(status, ns=(1, 1))
    bare = replace(read_device(), tensorrt=None, tensorrt_python=None)
    assert "apt install nvidia-jetpack" in said(bare, root, "tensorrt")


def test_a_tensorrt_that_cannot_load_is_told_why(enter, monkeypatch):
    root = enter("orin-nano-jp62")
    reason = "ImportError: libnvdla_compiler.so: cannot open"
    monkeypatch.setattr(
        doctor_software, "import_problem", lambda name: reason if name == "tensorrt" else ""
    )
    told = said(read_device(), root, "tensorrt")
    assert "libnvdla_compiler.so" in told
    assert "nvidia-l4t-dla-compiler" in told


def test_two_versions_of_tensorrt_are_told(enter):
    root = enter("orin-nano-jp62")
    device = replace(read_device(), tensorrt="10.16.1", tensorrt_python="10.16.1")
    assert "trtexec and DeepStream" in said(device, root, "tensorrt")
    same = replace(device, tensorrt="10.3.0", tensorrt_python="10.3.0")
    assert said(same, root, "tensorrt") == ""


def test_power_and_clocks(enter):
    root = enter("orin-nano-jp62")
    device = read_device()
    assert "sudo nvpmodel -m 2" in said(device, root, "power")
    assert "sudo jetson_clocks" in said(device, root, "clocks")
    assert said(replace(device, power_mode="MAXN_SUPER"), root, "power") == ""
    root = enter("thor-jp71")
    assert said(read_device(), root, "power") + said(read_device(), root, "clocks") == ""


def test_little_memory_and_swap_in_memory_only(copy, enter):
    root = copy("orin-nano-jp62")
    enter("orin-nano-jp62", root)
    assert "mkswap" in said(read_device(), root, "memory")
    with (root / "proc/swaps").open("a") as swaps:
        swaps.write("/swapfile                               file\t8388604\t0\t-2\n")
    assert said(read_device(), root, "memory") == ""
    meminfo = root / "proc/meminfo"
    meminfo.write_text(meminfo.read_text().replace("6190080", "1190080"))
    assert "Only 1.1 GiB" in said(read_device(), root, "memory")
    assert said(replace(read_device(), memory=64 * GIB), root, "memory") == ""


def test_a_full_disk(enter, monkeypatch, tmp_path):
    root = enter("thor-jp71")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=GIB))
    assert "1.0 GiB free" in said(read_device(), root, "disk")


@pytest.mark.parametrize(
    ("installed", "cuda", "told"),
    [
        (None, "12.6.68", "pip install 'cuda-bindings==12.*'"),
        (None, None, "pip install 'cuda-bindings'"),
        ("13.2.0", "12.6.68", "cuda-bindings 13 is newer than CUDA 12.6.68"),
        ("12.9.1", "12.6.68", ""),
        ("12.9.1", "13.0.0", ""),
    ],
)
def test_the_way_to_device_buffers(enter, monkeypatch, installed, cuda, told):
    root = enter("orin-nano-jp62")
    device = replace(read_device(), cuda=cuda)

    def version(name: str) -> str:
        if installed is None:
            raise doctor_software.metadata.PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(doctor_software.metadata, "version", version)
    monkeypatch.setattr(doctor_software, "find_spec", lambda name: None)
    found = said(device, root, "cuda")
    assert told in found
    assert bool(told) == bool(found)


def test_onnxruntime_that_lists_a_gpu_is_not_believed(enter, monkeypatch):
    import onnxruntime

    root = enter("orin-nano-jp62")
    listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
    assert "lists CUDA" in said(read_device(), root, "onnxruntime")


def test_what_is_newer_than_the_list_is_not_passed_as_good(enter):
    root = enter("thor-jp71")
    assert "newer than the known-bad list" in said(
        replace(read_device(), tensorrt="12.0.1"), root, "list"
    )
    assert "no release of JetPack" in said(replace(read_device(), jetpack=None), root, "list")


def test_rtx_is_not_offered_to_a_jetson(enter, runnable, ask):
    enter("thor-jp71")
    runnable("tensorrt_rtx", "openvino")
    rtx = next(one for one in ask()["runtimes"] if one["name"] == "tensorrt_rtx")
    assert not rtx["usable"]
    assert "SM 11.0" in rtx["remedy"]


def test_with_tensorrt_in_reach_it_serves(tree, tmp_path):
    """The stand-ins of tests/fakes are what this Python can import on the board."""
    box = tree / "tests/boxes/orin-nano-jp62"
    settings = {
        **os.environ,
        "PERSONVIT_SYSTEM_ROOT": str(box),
        "PATH": f"{box / 'usr/bin'}:/usr/bin:/bin",
        "PYTHONPATH": str(tree / "tests/fakes"),
        "FAKE_TENSORRT_VERSION": "10.3.0",
    }
    program = "from personvit.engines.cli import main; main()"
    words = [sys.executable, "-c", program, "doctor", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, env=settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["serves"], found["device"]["tensorrt_python"]) == ("tensorrt", "10.3.0")
    assert ("tensorrt", "must") not in topics(found)
