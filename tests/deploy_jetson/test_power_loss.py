"""Whatever had reached the disk when the power failed, the old bundle serves or the new one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from personvit.core.files import sha256
from personvit.deploy_jetson import durable, serving
from personvit.deploy_jetson.home import Home


@pytest.fixture
def power_loss(shared):
    return shared("deploy_jetson/power_loss.py")


class Observer:
    """At every moment, looks at some of the disks that a loss of power could leave."""

    def __init__(self, folder: Path, allowed: dict[str, str], mixtures: int = 3) -> None:
        self.folder, self.allowed, self.mixtures = folder, allowed, mixtures
        self.seen: list[set[str]] = []

    def __call__(self, disk) -> None:
        watch, disk.watch = disk.watch, lambda disk: None
        rng = np.random.default_rng(disk.moments)
        mixtures = [lambda target: disk.mixed(target, rng)] * self.mixtures
        self.seen.append({self._found(make) for make in (disk.least, disk.eager, *mixtures)})
        disk.watch = watch

    def _found(self, make) -> str:
        """What would serve; an error where what `current` leads to is not complete."""
        place = self.folder / "after"
        make(place)
        home = Home(place)
        home.journal.entries()
        serving = home.serving()
        found = self.allowed[serving.require_sound().bundle if serving else ""]
        shutil.rmtree(place)
        return found


@pytest.fixture
def watched(power_loss, home, tmp_path, monkeypatch):
    disks = []

    def watch(allowed: dict[str, str]):
        disk = power_loss.Disk(home.path, monkeypatch)
        disks.append(disk)
        disk.settle()
        disk.watch = Observer(tmp_path, allowed)
        return disk

    yield watch
    for disk in disks:
        disk.watch = lambda disk: None
        disk.close()


def only_forward(seen: list[set[str]], before: str, after: str) -> None:
    """At first only the old state, at last only the new one, and between them a short doubt."""
    assert seen[0] == {before}
    assert seen[-1] == {after}
    doubts = [number for number, found in enumerate(seen) if len(found) > 1]
    assert not doubts or doubts[-1] - doubts[0] < 5


def test_an_install_over_another(watched, home, serving_old, old, new, install):
    disk = watched({sha256(old): "old", sha256(new): "new"})
    assert install(new).code == 0
    only_forward(disk.watch.seen, "old", "new")
    assert len(disk.watch.seen) > 30


def test_a_first_install(watched, home, new, install):
    home.prepare()
    disk = watched({"": "nothing", sha256(new): "new"})
    assert install(new).code == 0
    only_forward(disk.watch.seen, "nothing", "new")


def test_a_rollback(watched, home, serving_new, old, new, install, deploy):
    disk = watched({sha256(old): "old", sha256(new): "new"})
    assert deploy("rollback").code == 0
    only_forward(disk.watch.seen, "new", "old")


def test_an_engine_that_is_built_again_for_another_runtime(watched, serving_new, new, monkeypatch):
    """The slot is whole throughout: with the old engine, then with the new one."""
    real = serving.environment
    monkeypatch.setattr(serving, "environment", lambda name: {**real(name), "openvino": "another"})
    disk = watched({sha256(new): "new"})
    serving.open_serving(serving_new).close()
    assert serving_new.journal.entries(1)[0]["step"] == "rebuild"
    assert len(disk.watch.seen) > 5


def test_the_model_of_the_disk_finds_what_was_not_synced(
    watched, home, serving_old, old, new, install, monkeypatch
):
    """Without the syncs before it, the link may reach the disk before the files it leads to."""
    watched({sha256(old): "old", sha256(new): "new"})
    monkeypatch.setattr(durable, "sync_tree", lambda folder: None)
    answer = install(new)
    assert answer.code == 3
    assert "slot b cannot serve" in answer.err
