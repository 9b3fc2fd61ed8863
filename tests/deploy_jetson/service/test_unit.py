"""The systemd unit: every line has its meaning, and it starts commands that exist."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from personvit.deploy_jetson.cli import main
from personvit.deploy_jetson.home import Home
from personvit.deploy_jetson.service import Service, ServiceOptions, service

SECTIONS = ["Unit", "Service", "Install"]


def parsed(unit: str) -> dict[str, list[str]]:
    """Every setting by name; only comments, sections and `Key=value` may be there."""
    sections, found = [], defaultdict(list)
    for line in unit.splitlines():
        if not line or line.startswith("# "):
            continue
        if line.startswith("["):
            sections.append(line.strip("[]"))
            continue
        key, equals, value = line.partition("=")
        assert equals, line
        assert re.fullmatch(r"[A-Z][A-Za-z]+", key), line
        assert line == line.strip(), line
        found[key].append(value)
    assert sections == SECTIONS
    assert not re.search(r"@[A-Z_]+@", unit), "a placeholder was left"
    return found


AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")


@pytest.fixture
def home(tmp_path) -> Home:
    found = Home(tmp_path / "home")
    found.prepare()
    return found


@pytest.fixture
def written(home, tmp_path):
    def write(**how) -> tuple[Service, dict[str, list[str]]]:
        made = service(ServiceOptions(home=home.path, out=tmp_path, **how))
        assert made.path.read_text() == made.unit
        return made, parsed(made.unit)

    return write


@pytest.mark.parametrize("user", [False, True])
def test_it_starts_commands_that_exist_with_options_they_know(written, home, user) -> None:
    _, settings = written(user=user)
    for line in settings["ExecStart"] + settings["ExecStartPre"]:
        command, name, *words = shlex.split(line.lstrip("+"))
        assert os.access(command, os.X_OK), command
        known = {flag for one in main.commands()[name].params for flag in one.opts}
        assert {word for word in words if word.startswith("-")} <= known
        assert words[words.index("--home") + 1] == str(home.path)


@pytest.mark.parametrize("user", [False, True])
def test_it_is_notified_watched_and_not_restarted_for_ever(written, user) -> None:
    _, settings = written(user=user)
    assert settings["Type"] == ["notify"]
    assert int(settings["WatchdogSec"][0]) > 0
    assert settings["Restart"] == ["on-failure"]
    assert settings["StartLimitBurst"] and settings["StartLimitIntervalSec"]
    assert settings["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert settings["MemoryMax"] == ["4G"]


def test_the_systems_unit_may_see_a_gpu_and_little_else(written) -> None:
    _, settings = written()
    assert settings["ProtectSystem"] == ["strict"]
    assert settings["PrivateTmp"] == settings["NoNewPrivileges"] == ["yes"]
    assert settings["DevicePolicy"] == ["closed"]
    assert settings["CapabilityBoundingSet"] == [""]
    devices = [line.split()[0] for line in settings["DeviceAllow"]]
    assert {"/dev/nvmap", "/dev/nvidia0", "char-nvhost*"} <= set(devices)
    # A path with a star in it allows nothing: systemd matches groups by pattern, not paths.
    assert not [name for name in devices if name.startswith("/") and "*" in name]
    assert "MemoryDenyWriteExecute" not in settings, "engines compile while they run"
    assert "ProcSubset" not in settings, "the device is told from /proc/device-tree"
    assert "PrivateDevices" not in settings


@AS_ROOT
def test_a_home_of_roots_is_read_by_a_passing_user(written, home) -> None:
    os.chown(home.path, 0, 0)
    _, settings = written()
    assert settings["DynamicUser"] == ["yes"]
    assert settings["ExecStartPre"][0].startswith("+"), "only root may rebuild the engine there"
    assert "ReadWritePaths" not in settings


@AS_ROOT
def test_another_home_is_served_by_its_owner(written, home) -> None:
    shutil.chown(home.path, "nobody")
    _, settings = written()
    assert settings["User"] == ["nobody"]
    assert settings["ReadWritePaths"] == [str(home.path)]
    assert "DynamicUser" not in settings
    assert not settings["ExecStartPre"][0].startswith("+")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--memory", "much"], "--memory"),
        (["--home", "/var/lib/per son"], "plain characters"),
        (["--home", "/var/%h"], "plain characters"),
    ],
)
def test_what_systemd_would_misread_is_refused(words, sentence, capfd) -> None:
    assert main.run(["service", *words]) == 1
    assert sentence in capfd.readouterr().err


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
@pytest.mark.parametrize("user", [False, True])
def test_systemd_understands_every_line(written, user) -> None:
    made, _ = written(user=user)
    whose = ["--user"] if user else []
    command = ["systemd-analyze", *whose, "verify", str(made.path)]
    runtime = {"XDG_RUNTIME_DIR": str(Path(made.path).parent)} if user else {}
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **runtime})
    said = [line for line in done.stderr.splitlines() if "personvit" in line]
    assert not said
    assert done.returncode == 0, done.stderr
