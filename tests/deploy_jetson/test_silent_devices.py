"""Devices that are there and say nothing, or never stop talking, are given up."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from personvit.core.errors import EnvironmentMismatch
from personvit.deploy_jetson import delivery, slots
from personvit.deploy_jetson.cli import main
from personvit.deploy_jetson.home import Home


@pytest.fixture
def small(small_bundle, tmp_path) -> Path:
    return small_bundle.write(tmp_path / "small.pvb", "int8")


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """An `ssh` that does what a test says, instead of reaching anything."""

    def become(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "ssh").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return become


@pytest.mark.parametrize(
    "script",
    [
        "exec sleep 600",
        f"echo '{delivery.MARK} have 0'; exec sleep 600",
        "while :; do echo chatter; done",
    ],
    ids=["silent", "takes nothing", "talks for ever"],
)
def test_a_push_to_a_device_that_never_answers_ends_with_a_sentence(
    small, ssh, script, monkeypatch, capfd
):
    monkeypatch.setattr(delivery, "PATIENCE_S", 1.0)
    ssh(script)
    assert main.run(["push", str(small), "nobody@nowhere", "--tries", "1"]) == 3
    said = capfd.readouterr().err
    assert "nobody@nowhere" in said
    assert "Traceback" not in said


def test_a_slot_that_somebody_holds_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(slots, "PATIENCE_S", 0.2)
    home = Home(tmp_path / "home")
    home.prepare()
    slot = home.slot("a")
    slot.path.mkdir(exist_ok=True)
    holder = os.open(slot.path, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    busy = pytest.raises(EnvironmentMismatch, match="another process has been working in slot a")
    with busy, slot.held():
        pass
    os.close(holder)
    with slot.held():
        pass
