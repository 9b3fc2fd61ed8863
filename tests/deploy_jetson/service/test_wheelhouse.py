"""Wheelhouses and container files: all that an offline device needs, and nothing it cannot use."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from personvit.deploy_jetson.cli import main
from personvit.deploy_jetson.wheelhouse import Wheelhouse, WheelhouseOptions, wheelhouse

AT_RUN_TIME = ("HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD")
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(scope="session")
def for_this_machine(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("here") / "wheelhouse"
    wheelhouse(WheelhouseOptions(out=out, python=HERE, arch=platform.machine()))
    return out


@pytest.fixture(scope="session")
def own_wheel(for_this_machine) -> Path:
    return next(for_this_machine.glob("wheels/personvit-*.whl"))


@pytest.fixture(scope="session")
def for_jetpack6(own_wheel, tmp_path_factory) -> Wheelhouse:
    out = tmp_path_factory.mktemp("jetpack6") / "wheelhouse"
    return wheelhouse(WheelhouseOptions(out=out, wheel=own_wheel, extra=("openvino",)))


def installed(folder: Path, venv: Path) -> subprocess.CompletedProcess:
    """As on a device: no package index, and none of this environment's packages."""
    python = os.path.realpath(sys.executable)
    environment = {"PATH": os.defpath, "HOME": str(venv.parent), "PIP_NO_INDEX": "1"}
    return subprocess.run(
        ["sh", str(folder / "install.sh"), str(venv)],
        env={**environment, "PYTHON": python},
        cwd=venv.parent,
        capture_output=True,
        text=True,
    )


def test_it_installs_offline_into_an_empty_environment(for_this_machine, tmp_path) -> None:
    venv = tmp_path / "venv"
    done = installed(for_this_machine, venv)
    assert done.returncode == 0, done.stderr
    assert "Engines for bundles" in done.stdout, "the doctor has not spoken"
    assert f"next: {venv}/bin/personvit-deploy install BUNDLE" in done.stdout
    for command in ("personvit-deploy", "personvit-engine"):
        shown = subprocess.run([venv / "bin" / command, "--help"], capture_output=True, text=True)
        assert shown.returncode == 0, shown.stderr
        assert "Usage" in shown.stdout
    unit = subprocess.run(
        [venv / "bin/personvit-deploy", "service", "--home", tmp_path], capture_output=True
    )
    assert unit.returncode == 0, "the unit's template is not in the wheel"


def test_a_changed_file_is_not_installed(for_this_machine, tmp_path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(for_this_machine), str(copy)], check=True)
    wheel = next(copy.glob("wheels/click-*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"!")
    done = installed(copy, tmp_path / "venv")
    assert done.returncode == 1
    assert "copy the folder again" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_another_machines_wheelhouse_says_so(for_jetpack6, tmp_path) -> None:
    done = installed(for_jetpack6.path, tmp_path / "venv")
    assert done.returncode == 1
    assert "for Python 3.10 on aarch64" in done.stderr


def test_it_holds_what_jetpack_6_can_install(for_jetpack6) -> None:
    names = {name.split("-")[0] for name in for_jetpack6.wheels}
    wanted = {"personvit", "numpy", "pillow", "click", "cuda_bindings", "openvino", "pip"}
    assert wanted <= names
    assert not {"torch", "torchvision", "pydantic"} & names
    for name in for_jetpack6.wheels:
        tags = name.removesuffix(".whl").split("-")
        assert "none-any" in name or "aarch64" in tags[-1], name
        assert tags[-3] in ("cp310", "py3", "py2.py3") or "abi3" in name, name
        assert all(int(minor) <= 35 for minor in re.findall(r"manylinux_2_(\d+)", name)), name


def test_every_file_has_its_sum_and_the_script_is_plain_shell(for_jetpack6) -> None:
    folder = for_jetpack6.path
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    sums = dict(reversed(line.split("  ")) for line in lines)
    assert {f"wheels/{name}" for name in for_jetpack6.wheels} < set(sums)
    for name, digest in sums.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    script = (folder / "install.sh").read_text()
    assert not re.search(r"@[A-Z]+@", script)
    assert subprocess.run(["sh", "-n", str(folder / "install.sh")]).returncode == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "-o DIR"),
        (["-o", "w", "--python", "3.8"], "3.10 or a later"),
        (["-o", "w", "--glibc", "new"], "--glibc"),
        (["-o", "w", "--wheel", "absent.whl"], "no wheel of personvit"),
    ],
)
def test_wrong_options_are_a_sentence_and_leave_nothing(
    words, sentence, tmp_path, monkeypatch, capfd
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.run(["wheelhouse", *words]) == 1
    assert sentence in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_extra_names_the_known_ones(own_wheel, tmp_path, capfd) -> None:
    words = ["-o", str(tmp_path / "w"), "--wheel", str(own_wheel), "--extra", "tensorrtt"]
    assert main.run(["wheelhouse", *words]) == 1
    assert "cpu" in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def instructions(text: str) -> list[tuple[str, str]]:
    joined = text.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


@pytest.mark.parametrize("name", ["jetpack6", "jetpack7"])
def test_a_container_is_made_of_a_given_base_and_the_wheelhouse(tree, for_jetpack6, name) -> None:
    text = (tree / f"deploy_jetson/containers/{name}.Dockerfile").read_text()
    found = instructions(text)
    known = "ARG FROM COPY RUN USER ENV VOLUME HEALTHCHECK STOPSIGNAL ENTRYPOINT CMD"
    assert {word for word, _ in found} <= {*known.split(" ")}
    assert found[0] == ("ARG", "BASE"), "the base has a default"
    assert {rest.split()[0] for word, rest in found if word == "FROM"} == {"${BASE}"}
    assert not re.search(r"[a-z0-9-]+\.(?:io|com|org|net)\b|https?:", text), "a host is named"
    for word, rest in found:
        if word == "COPY" and not rest.startswith("--from=installed"):
            for source in rest.split()[:-1]:
                assert (for_jetpack6.path / source).exists(), source
    by_word = dict(found)
    assert by_word["USER"] not in ("root", "0"), "it runs as root"
    assert '"health"' in by_word["HEALTHCHECK"]
    assert by_word["CMD"] == '["serve"]'
    assert {"serve", "health"} <= set(main.commands())


def test_the_containers_install_step_is_the_script_that_was_run_here(tree, for_jetpack6) -> None:
    ignored = (for_jetpack6.path / ".dockerignore").read_text().split()
    assert "!wheels" in ignored
    text = (for_jetpack6.path / "Dockerfile").read_text()
    runs = [shlex.split(rest) for word, rest in instructions(text) if word == "RUN"]
    assert ["sh", "/wheelhouse/install.sh", "/opt/personvit"] in runs


def test_the_wheel_brings_what_these_commands_write(own_wheel) -> None:
    with zipfile.ZipFile(own_wheel) as archive:
        names = set(archive.namelist())
    inside = "personvit/deploy_jetson"
    assert {
        f"{inside}/systemd/personvit.service",
        f"{inside}/systemd/personvit-user.service",
        f"{inside}/containers/jetpack6.Dockerfile",
        f"{inside}/containers/jetpack7.Dockerfile",
        f"{inside}/wheels/install.sh",
    } <= names
