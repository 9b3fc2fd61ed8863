"""What a device is, read from files in the form that Jetsons have, and from garbled ones."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personvit.engines import device_facts, device_gpu
from personvit.engines.device_facts import DeviceFacts, read_device
from personvit.engines.device_modules import import_problem, module_version
from personvit.engines.device_power import clocks_held, fastest_mode, offered_modes, power_mode
from personvit.engines.version_numbers import plain, version_of, within

EXPECTED = {
    "orin-nano-jp62": DeviceFacts(
        kind="jetson",
        module="NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
        l4t="36.4.3",
        jetpack="6.2",
        tensorrt="10.3.0.30",
        tensorrt_library="10.3.0.30",
        cuda="12.6.11",
        driver="540.4.0",
        capability=(8, 7),
        memory=7802880 * 1024,
        swap=3901440 * 1024,
        cma=256 * 2**20,
        power_mode="25W",
    ),
    "agx-orin-jp72": DeviceFacts(
        kind="jetson",
        module="NVIDIA Jetson AGX Orin Developer Kit",
        l4t="39.2.0",
        jetpack="7.2",
        tensorrt="10.16.2.10",
        tensorrt_library="10.16.2.10",
        cuda="13.2.51",
        capability=(8, 7),
        memory=64324608 * 1024,
        cma=256 * 2**20,
        power_mode="MODE_30W",
    ),
    "thor-jp71": DeviceFacts(
        kind="jetson",
        module="NVIDIA Jetson AGX Thor Developer Kit",
        l4t="38.4.0",
        jetpack="7.1",
        tensorrt="10.13.3.9",
        tensorrt_library="10.13.3.9",
        cuda="13.0.0",
        driver="580.00",
        capability=(11, 0),
        memory=128790528 * 1024,
        cma=64 * 2**20,
        power_mode="MAXN",
    ),
}
OF_THIS_PROCESS = ("arch", "python", "tensorrt", "tensorrt_python", "tensorrt_rtx")


@pytest.fixture
def enter(monkeypatch, shared):
    return lambda name, root=None: shared("boxes/entering.py").enter(monkeypatch, name, root)


@pytest.fixture
def copy(tree, tmp_path):
    return lambda name: shutil.copytree(tree / "tests/boxes" / name, tmp_path / "root")


@pytest.mark.parametrize("name", EXPECTED)
def test_each_box_gives_its_facts(enter, name):
    enter(name)
    found = read_device()
    wanted = EXPECTED[name].as_json()
    for key, value in found.as_json().items():
        if key not in OF_THIS_PROCESS:
            assert value == wanted[key], key
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.tensorrt == (found.tensorrt_python or wanted["tensorrt"])
    shown = found.as_text()
    assert found.module in shown
    assert found.power_mode in shown
    json.dumps(found.as_json())


def test_without_the_release_file_the_packages_tell(enter, copy):
    root = copy("orin-nano-jp62")
    (root / "etc/nv_tegra_release").unlink()
    enter("orin-nano-jp62", root)
    assert (read_device().l4t, read_device().kind) == ("36.4.3", "jetson")


@pytest.mark.parametrize(
    ("revision", "jetpack"),
    [
        ("36 (release), REVISION: 3.0", "6.0"),
        ("36 (release), REVISION: 4.0", "6.1"),
        ("36 (release), REVISION: 4.3", "6.2"),
        ("36 (release), REVISION: 4.7", "6.2.1"),
        ("36 (release), REVISION: 5.0", "6.2.2"),
        ("38 (release), REVISION: 2.2", "7.0"),
        ("38 (release), REVISION: 4.0", "7.1"),
        ("39 (release), REVISION: 2.0", "7.2"),
        ("39 (release), REVISION: 2.1", "7.2.1"),
        ("99 (release), REVISION: 1.0", None),
    ],
)
def test_a_board_without_the_meta_package_is_known_by_its_linux(enter, copy, revision, jetpack):
    root = copy("orin-nano-jp62")
    (root / "var/lib/dpkg/status").unlink()
    (root / "etc/nv_tegra_release").write_text(f"# R{revision}, GCID: 1, BOARD: generic\n")
    enter("orin-nano-jp62", root)
    found = read_device()
    assert (found.jetpack, found.tensorrt_library) == (jetpack, None)


def test_packages_that_were_removed_do_not_count(enter, copy):
    root = copy("thor-jp71")
    status = root / "var/lib/dpkg/status"
    gone = status.read_text().replace("install ok installed", "deinstall ok config-files")
    status.write_text(gone)
    enter("thor-jp71", root)
    assert (read_device().tensorrt_library, read_device().jetpack) == (None, "7.1")


def test_thor_had_another_number_before_cuda_13(enter, copy):
    root = copy("thor-jp71")
    (root / "usr/local/cuda/version.json").write_text('{"cuda": {"version": "12.8.1"}}')
    enter("thor-jp71", root)
    assert read_device().capability == (10, 1)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"cuda": 3}', '{"cuda": {"version": [1]}}', "[" * 10_000]
)
def test_a_broken_version_file_leaves_the_packages(enter, copy, text):
    root = copy("orin-nano-jp62")
    (root / "usr/local/cuda/version.json").write_text(text)
    enter("orin-nano-jp62", root)
    assert read_device().cuda == "12.6.68"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(junk=st.binary(max_size=300))
def test_garbled_files_are_unknown_facts_and_never_an_error(enter, tree, tmp_path, junk):
    source, root = tree / "tests/boxes/orin-nano-jp62", tmp_path / "garbled"
    shutil.rmtree(root, ignore_errors=True)
    for path in source.rglob("*"):
        if path.is_file() and "bin" not in path.parts:
            place = root / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(junk)
    found = read_device(root)
    assert found.kind in ("jetson", "gpu", "cpu")
    json.dumps(found.as_json())
    assert found.as_text()
    offered_modes(root)
    assert clocks_held(root) in (None, True, False)


def test_folders_where_files_should_be_are_no_error(enter, copy):
    root = copy("orin-nano-jp62")
    for name in ("etc/nv_tegra_release", "proc/meminfo", "var/lib/dpkg/status"):
        (root / name).unlink()
        (root / name).mkdir()
    enter("orin-nano-jp62", root)
    assert read_device().memory == 0


def test_this_machine_is_told_whatever_it_is(monkeypatch):
    monkeypatch.delenv(device_facts.ROOT, raising=False)
    found = read_device()
    assert found.kind in ("jetson", "gpu", "cpu")
    assert found.memory > 0
    assert (found.capability is None) or found.kind != "cpu"


@pytest.fixture
def smi(monkeypatch, tmp_path):
    """A driver's tool that answers as told, on a machine whose GPU cannot be opened."""

    def install(script: str) -> None:
        tool = tmp_path / "bin/nvidia-smi"
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")

    def refuse() -> None:
        raise device_gpu.EnvironmentMismatch("none")

    monkeypatch.setattr(device_gpu, "open_device", refuse)
    return install


@pytest.mark.parametrize(
    ("script", "name", "capability", "kind"),
    [
        ("echo 'NVIDIA H200, 9.0'", "NVIDIA H200", (9, 0), "gpu"),
        ("echo 'NVIDIA A10, 8.6'; echo 'NVIDIA L4, 8.9'", "NVIDIA A10", (8, 6), "gpu"),
        ("echo 'No devices were found'", None, None, "cpu"),
        ("echo 'NVIDIA H200, [N/A]'", None, None, "cpu"),
        ("exit 9", None, None, "cpu"),
    ],
)
def test_the_drivers_tool_is_asked_where_no_device_opens(
    smi, tmp_path, script, name, capability, kind
):
    smi(script)
    found = read_device(tmp_path / "nothing")
    assert (found.gpu, found.capability, found.kind) == (name, capability, kind)


@pytest.mark.parametrize(
    ("answer", "mode"),
    [
        ("NV Power Mode: MAXN_SUPER\\n2", "MAXN_SUPER"),
        ("NV Fan Mode:quiet\\nNV Power Mode: MODE_15W_6CORE\\n2", "MODE_15W_6CORE"),
        ("NVPM ERROR: failed to read", None),
        ("", None),
    ],
)
def test_the_power_mode_is_a_name_and_never_a_number(monkeypatch, tmp_path, answer, mode):
    tool = tmp_path / "nvpmodel"
    tool.write_text(f"#!/bin/sh\nprintf '{answer}\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert power_mode() == mode


def test_the_fastest_mode_is_found_by_name(tree):
    fastest = {name: fastest_mode(offered_modes(tree / "tests/boxes" / name)) for name in EXPECTED}
    assert fastest == {
        "orin-nano-jp62": "MAXN_SUPER",
        "agx-orin-jp72": "MAXN",
        "thor-jp71": "MAXN",
    }
    assert fastest_mode({"15W": 0, "MODE_50W": 3, "7W": 1}) == "MODE_50W"
    assert fastest_mode({}) is None


def test_clocks_are_held_where_both_limits_are_one(tree):
    held = {name: clocks_held(tree / "tests/boxes" / name) for name in EXPECTED}
    assert held == {"orin-nano-jp62": False, "agx-orin-jp72": False, "thor-jp71": True}


def test_a_module_that_cannot_load_is_not_a_version(monkeypatch, tmp_path):
    (tmp_path / "broken_runtime").mkdir()
    (tmp_path / "broken_runtime/__init__.py").write_text("raise ImportError('libx.so: no file')")
    (tmp_path / "whole_runtime").mkdir()
    (tmp_path / "whole_runtime/__init__.py").write_text("__version__ = '10.3.0'")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert (module_version("whole_runtime"), import_problem("whole_runtime")) == ("10.3.0", "")
    assert module_version("broken_runtime") is None
    assert "libx.so" in import_problem("broken_runtime")
    assert (module_version("no_runtime"), import_problem("no_runtime")) == (None, "")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_box_replays_tegrastats_until_it_is_stopped(tree, name):
    tool = str(tree / "tests/boxes" / name / "usr/bin/tegrastats")
    with subprocess.Popen([tool, "--interval", "20"], stdout=subprocess.PIPE, text=True) as running:
        lines = [running.stdout.readline() for _ in range(6)]
        running.terminate()
    recorded = (Path(tool).parent.parent / "share/tegrastats.txt").read_text().splitlines()
    assert [line.split(" ", 2)[2].rstrip() for line in lines] == (recorded * 2)[:6]
    assert subprocess.run([tool, "--stop"], check=True).returncode == 0


numbers = st.lists(st.integers(0, 10**9 - 1), min_size=1, max_size=5).map(tuple)
suffixes = st.sampled_from(["", "-1+cuda12.5", "+b77", "-b112", "rc1", " (release)", "~x"])


@given(numbers, suffixes)
def test_a_version_is_read_whatever_follows_it(version, suffix):
    text = ".".join(map(str, version))
    assert version_of(text + suffix) == version
    assert version_of("v" + text) == version_of(f"  R{text}") == version
    assert plain(text + suffix) == text


@given(numbers, numbers, numbers)
def test_a_range_holds_its_lower_end_and_not_its_upper(version, first, until):
    assert within(version, first, until) == (first <= version < until)
    assert within(first, first, None)
    assert not within(until, first, until)
    assert not within((), first, None)


@given(st.text(max_size=50))
def test_any_text_is_a_version_or_none(text):
    assert all(part >= 0 for part in version_of(text))
    assert (plain(text) is None) == (version_of(text) == ())


def test_versions_compare_as_numbers():
    assert version_of("10.16.2.10-1+cuda13.2") > version_of("10.3.0.30")
    assert version_of(None) == version_of("cuda") == version_of("2025091815403399") == ()
