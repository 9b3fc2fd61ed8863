"""A run's folder belongs to one process at a time."""

import subprocess
import sys

import pytest

from personvit.core.errors import ConfigError
from personvit.train.runfile import alone

HOLD = """
import sys, time
from pathlib import Path
from personvit.train.runfile import alone
with alone(Path(sys.argv[1]), new=True, leads=True):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path):
    """A folder that another process trains in, and that process."""
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield folder, process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("new", [True, False])
def test_a_second_process_is_refused_until_the_first_is_gone(held, new):
    folder, process = held
    with (
        pytest.raises(ConfigError, match="another process is training in"),
        alone(folder, new, leads=True),
    ):
        pass
    with alone(folder, new, leads=False):
        pass  # one that follows the first
    process.kill()
    process.wait()
    with alone(folder, new, leads=True), pytest.raises(ConfigError), alone(folder, new, leads=True):
        pass
    assert not any(folder.iterdir())


def test_nothing_is_made_where_there_is_nothing_to_go_on_with(tmp_path):
    with alone(tmp_path / "run", new=False, leads=True):
        assert not (tmp_path / "run").exists()
