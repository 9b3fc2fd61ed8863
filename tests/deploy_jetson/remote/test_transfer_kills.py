"""Either end of a push is killed at any moment: nothing half is ever taken for whole."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from personvit.core.files import sha256

SEED, LOG = "PERSONVIT_KILL_SEED", "PERSONVIT_KILL_LOG"
PAUSE_S = 0.005
START_S = 1.0
COUNTS = [pytest.param(3, id="short"), pytest.param(100, marks=pytest.mark.slow, id="long")]


def kill_sender(box, process: subprocess.Popen) -> bool:
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    return True


def kill_receiver(box, process: subprocess.Popen) -> bool:
    return box.kill_receivers() > 0


def log(victim: str, **facts) -> None:
    if folder := os.environ.get(LOG):
        Path(folder).mkdir(parents=True, exist_ok=True)
        with Path(folder, f"kills-{victim}.jsonl").open("a") as file:
            file.write(json.dumps(facts) + "\n")


def require_honest(box, bundle: Path) -> int:
    """What has a bundle's name is that bundle; returns how much of it is there."""
    box.home.prepare()
    for path in box.home.inbox.glob("*.pvb"):
        assert sha256(path) == path.stem
    there = [path.stat().st_size for path in box.home.inbox.iterdir()]
    assert len(there) <= 1
    assert sum(there) <= bundle.stat().st_size
    return sum(there)


def start(box, words) -> subprocess.Popen:
    return subprocess.Popen(box.command(*words), stderr=subprocess.PIPE, start_new_session=True)


def wait_for_part(box, process: subprocess.Popen) -> None:
    """What comes before is the start of Python and of a connection."""
    while process.poll() is None and not list(box.home.inbox.glob("*.p*")):
        time.sleep(0.002)


def empty(box) -> None:
    for path in box.home.inbox.iterdir():
        path.unlink()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("kill", [kill_sender, kill_receiver])
def test_kills_of_a_push(box, bundle, kill, count):
    victim, size = kill.__name__.removeprefix("kill_"), bundle.stat().st_size
    seed = int(os.environ.get(SEED) or secrets.randbelow(2**32))
    rng = np.random.default_rng([seed, *victim.encode()])
    box.proxy.pause_s = PAUSE_S
    words = ("push", bundle, box.name, "--ssh-config", box.config, "--no-install", "--tries", "1")
    undisturbed = start(box, words)
    wait_for_part(box, undisturbed)
    began = time.monotonic()
    undisturbed.communicate()
    longest = 1.1 * (time.monotonic() - began)
    print(f"{victim}: {SEED}={seed}, kills within {longest:.2f} s")  # noqa: T201
    for number in range(count):
        empty(box)
        box.proxy.pause_s = PAUSE_S
        process = start(box, words)
        early = number % 4 == 3
        if not early:
            wait_for_part(box, process)
        time.sleep(delay := float(rng.uniform(0, START_S if early else longest)))
        killed = kill(box, process)
        process.communicate()
        there = require_honest(box, bundle)
        assert killed or process.returncode == 0
        box.proxy.pause_s = 0.0
        again = box.push(bundle, "--no-install", "--json")
        assert again.returncode == 0, again.stderr
        resumed = json.loads(again.stdout)["resumed_at"][0]
        assert there <= resumed <= size
        assert require_honest(box, bundle) == size
        log(
            victim,
            seed=seed,
            nth=number,
            delay_s=delay,
            killed=killed,
            early=early,
            resumed=resumed,
        )
