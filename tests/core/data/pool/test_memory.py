"""A pool of a million images takes no more memory than a small one."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

MIB = 1 << 20
FEW = 30_000
WATCH = """
import sys, threading, time
from pathlib import Path
import numpy as np
from personvit.core.data.pool import open_pool
from personvit.core.data.pool.permutation import Permutation

def own():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024

where, keep = (Path(word) if word else None for word in sys.argv[1:])
before, peak, done = own(), [0], threading.Event()

def watch():
    while not done.is_set():
        peak[0] = max(peak[0], own())
        time.sleep(0.002)

watcher = threading.Thread(target=watch)
watcher.start()
pool = open_pool(where, keep)
order = Permutation(len(pool), (1,))
for place in range(0, len(pool), 1024):
    for number in order(np.arange(place, min(place + 1024, len(pool))))[::64]:
        pool.key(int(number))
done.set()
watcher.join()
print(len(pool), peak[0] - before)
"""


def taken(where, keep="") -> tuple[int, int]:
    """Images, and the most memory of its own that a process took to list and to visit them."""
    command = [sys.executable, "-c", WATCH, str(where), str(keep)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    count, memory = done.stdout.split()
    return int(count), int(memory)


def listed(path, count: int):
    with path.open("w") as file:
        file.writelines(f"LUP/images/{n:08d}_{n * 7919 % 9973:04d}.jpg\n" for n in range(count))
    return path


def check_flat(tmp_path, count: int) -> None:
    """Both lists fill the buffers; a name that is held takes 80 bytes at the least."""
    less, more = (taken(listed(tmp_path / f"{n}.txt", n)) for n in (FEW, count))
    assert more[0] == count
    assert more[1] - less[1] < (count - FEW) * 80 / 2


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_memory_stays_flat_over_a_long_list(tmp_path):
    check_flat(tmp_path, 200_000)


@pytest.mark.slow
def test_memory_stays_flat_over_two_million_names(tmp_path):
    check_flat(tmp_path, 2_000_000)


@pytest.mark.slow
def test_a_pickled_list_takes_bytes_per_name_and_not_the_names(tmp_path):
    count = 1_000_000
    names = [f"images/{n:08d}_{n * 7919 % 9973:04d}.jpg" for n in range(count)]
    (tmp_path / "all.pkl").write_bytes(pickle.dumps(names))
    (tmp_path / "keep.pkl").write_bytes(pickle.dumps(names[::2]))
    found, memory = taken(tmp_path / "all.pkl", tmp_path / "keep.pkl")
    assert found == count // 2
    assert memory < 64 * MIB  # pickle.load alone takes more than 100
