"""A pre-training run that is killed, stopped, or runs out of disk goes on where it was."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from personvit.core.errors import CheckpointError, UserError
from personvit.train.background import BackgroundSaver, copied
from personvit.train.checkpoints import Checkpoints
from personvit.train.pretrain.pretrain import pretrain

PATIENCE = 600
LONG = ("schedule.epochs=6",)
"""Eighteen steps."""


@pytest.fixture
def interrupt(steps_logged):
    """Send a signal once a step is logged."""

    def send(process, out, step, number):
        end = time.monotonic() + PATIENCE
        while steps_logged(out) < step and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(number)
        return process.communicate(timeout=PATIENCE)[1]

    return send


def test_killed_again_and_again_it_is_bitwise_the_same(
    begin, pretrain_command, interrupt, people, tmp_path
):
    more = ("--save-every-steps", "2", "--probe", str(people), "--probe-every", "6")
    calm = begin(pretrain_command(tmp_path / "calm", *more, set=LONG))
    out = tmp_path / "killed"
    words = pretrain_command(out, *more, set=LONG)
    process = begin(words)
    for low, number in ((1, signal.SIGKILL), (6, signal.SIGKILL), (11, signal.SIGTERM)):
        errors = interrupt(process, out, random.randint(low, low + 3), number)  # noqa: S311
        assert process.returncode == (130 if number is signal.SIGTERM else -number), errors
        process = begin([*words, "--resume"])
    errors = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, errors
    assert "resuming after step" in errors
    assert calm.communicate(timeout=PATIENCE) and calm.returncode == 0
    for name in ("model.safetensors", "pretrained.pth"):
        assert (out / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
    told = [json.loads((folder / "result.json").read_text()) for folder in (out, tmp_path / "calm")]
    assert told[0]["probes"] == told[1]["probes"]
    assert told[0]["losses"] == told[1]["losses"]
    logged = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in logged if "loss" in line] == list(range(1, 19))


def test_a_job_that_loses_a_process_restarts_by_itself_and_ends_as_one_that_did_not(
    begin, pretrain_command, one_thread, tmp_path
):
    calm = begin(pretrain_command(tmp_path / "calm", set=LONG))
    out = tmp_path / "job"
    program = Path(sys.executable).with_name("personvit-train")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node=2", "--max-restarts=1", "--no-python"]
    job = subprocess.Popen(
        [*torchrun, str(program), *pretrain_command(out, "--save-every-steps", "3", set=LONG)],
        env=one_thread,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + PATIENCE
    while not list(out.glob("checkpoints/*.json")) and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(random.choice(workers_of(job.pid)), signal.SIGKILL)  # noqa: S311
    errors = job.communicate(timeout=PATIENCE)[1]
    assert job.returncode == 0, errors
    assert "resuming after step" in errors
    assert calm.communicate(timeout=PATIENCE) and calm.returncode == 0
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("calm", "job"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4, msg=name)


def test_a_signal_to_one_process_stops_both_after_the_same_step(
    pretrain_command, interrupt, one_thread, tmp_path
):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    job = {**one_thread, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    program = Path(sys.executable).with_name("personvit-train")
    out = tmp_path / "job"
    words = [str(program), *pretrain_command(out, set=("schedule.epochs=99",))]
    first, second = (
        subprocess.Popen(
            words,
            env={**job, "RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    )
    # Only the one that does not lead hears it.
    told = interrupt(second, out, 6, signal.SIGTERM), first.communicate(timeout=PATIENCE)[1]
    assert (first.returncode, second.returncode) == (130, 130), told
    (saved,) = (out / "checkpoints").glob("*.pt")
    for errors in told:
        assert f"stopped as asked after step {int(saved.stem.removeprefix('step-'))} " in errors


def workers_of(parent: int) -> list[int]:
    """The training processes that torchrun has started."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [
        int(child) for child in found if b"pretrain" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def test_a_full_disk_ends_the_run_and_the_last_good_checkpoint_goes_on(
    pretrain_options, monkeypatch
):
    asked = pretrain_options(save_every_steps=2)
    save = torch.save
    writes = []

    def until_full(payload, path):
        writes.append(path)
        save(payload, path)
        if len(writes) == 3:
            raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(torch, "save", until_full)
    with pytest.raises(OSError, match="No space left"):
        pretrain(asked)
    monkeypatch.undo()
    kept = sorted(path.name for path in (asked.out / "checkpoints").iterdir())
    assert kept == [f"step-{step:09d}.{kind}" for step in (2, 4) for kind in ("json", "pt")]
    result = pretrain(pretrain_options(save_every_steps=2, resume=True))
    assert result.steps == 12


def test_a_damaged_last_checkpoint_is_passed_over(pretrain_options, capsys):
    pretrain(pretrain_options(save_every_steps=5))
    out = pretrain_options().out
    whole = (out / "model.safetensors").read_bytes()
    for name in ("model.safetensors", "pretrained.pth", "result.json"):
        (out / name).unlink()
    last = max((out / "checkpoints").glob("*.pt"))
    last.write_bytes(last.read_bytes()[:-100])
    pretrain(pretrain_options(save_every_steps=5, resume=True))
    assert f"{last.name} is damaged" in capsys.readouterr().err
    assert (out / "model.safetensors").read_bytes() == whole


def test_a_save_is_of_the_moment_it_was_asked_for(tmp_path):
    weights = torch.zeros(1000)
    with BackgroundSaver(Checkpoints(tmp_path, keep=2)) as saver:
        for step in range(1, 5):
            saver.save(step, {"weights": weights, "nested": [{"same": weights}]}, {})
            weights += 1
    payload, notices = saver.checkpoints.newest()
    assert not notices
    assert payload["weights"].unique().tolist() == [3.0]
    assert payload["nested"][0]["same"].unique().tolist() == [3.0]
    assert len(list(tmp_path.glob("*.pt"))) == 2


def test_what_a_save_met_is_told_at_the_next_occasion(tmp_path):
    (tmp_path / "file").touch()
    saver = BackgroundSaver(Checkpoints(tmp_path / "file"))
    saver.save(1, {}, {})
    with pytest.raises((UserError, OSError)):
        saver.wait()
    saver.check()


def test_copies_share_nothing():
    inner = torch.ones(2)
    original = {"a": (inner, 1), "b": [inner]}
    copy = copied(original)
    inner.zero_()
    assert copy["a"][0].tolist() == [1.0, 1.0]
    assert copy["b"][0].tolist() == [1.0, 1.0]
    assert copy["a"][1] == 1


def test_no_usable_checkpoint_is_an_error(tmp_path):
    (tmp_path / "step-000000001.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* can be used"):
        Checkpoints(tmp_path).newest()
