"""A run that is killed, stopped or damaged ends with the weights of an undisturbed one."""

import json
import random
import signal
import time

import pytest

LONG = ("schedule.epochs=8",)
PATIENCE = 600


@pytest.fixture
def undisturbed(begin, command, tmp_path):
    out = tmp_path / "undisturbed"
    process = begin(command(out, "--no-evaluate", set=LONG))
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return (out / "model.safetensors").read_bytes()


@pytest.fixture
def interrupt(steps_logged):
    """Send a signal once a step is logged."""

    def send(process, out, step, number):
        end = time.monotonic() + PATIENCE
        while steps_logged(out) < step and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)

    return send


def test_killed_at_random_steps_and_resumed_it_is_bitwise_the_same(
    begin, command, interrupt, tmp_path, undisturbed
):
    out = tmp_path / "killed"
    words = command(out, "--no-evaluate", "--save-every-steps", "3", set=LONG)
    process = begin(words)
    interrupt(process, out, random.randint(2, 12), signal.SIGKILL)  # noqa: S311
    assert process.returncode == -signal.SIGKILL
    process = begin([*words, "--resume"])
    interrupt(process, out, random.randint(15, 20), signal.SIGTERM)  # noqa: S311
    assert process.returncode == 130
    process = begin([*words, "--resume"])
    errors = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, errors
    assert "resuming after step" in errors
    assert (out / "model.safetensors").read_bytes() == undisturbed
    logged = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in logged if "epoch" not in line]
    assert steps == list(range(1, len(steps) + 1))
