"""The device's end of a push, fed with what a good sender would not send."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import namedtuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personvit.core.errors import BundleError, EnvironmentMismatch, UserError
from personvit.deploy_jetson import inbox
from personvit.deploy_jetson.cli import main
from personvit.deploy_jetson.receive import MARK, ReceiveOptions, receive

DATA = bytes(range(256)) * 40
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def feed(home, tmp_path, monkeypatch):
    """Run `receive` with these bytes on its standard input."""

    def run(data: bytes, digest: str = DIGEST, size: int = len(DATA), signature_size: int = 0):
        (tmp_path / "stdin").write_bytes(data)
        with (tmp_path / "stdin").open("rb") as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            return receive(ReceiveOptions(digest, size, signature_size, home.path))

    return run


def test_what_arrives_whole_is_kept_under_its_digest(feed, home, capsys):
    received = feed(DATA)
    assert received.bundle == home.inbox / f"{DIGEST}.pvb"
    assert received.bundle.read_bytes() == DATA
    assert capsys.readouterr().out == f"{MARK} have 0\n"


def test_what_comes_in_pieces_is_put_together(feed, capsys):
    for start, end in ((0, 100), (100, 5000), (5000, 5000)):
        with pytest.raises(EnvironmentMismatch, match=f"after {end:,} of"):
            feed(DATA[start:end])
    assert feed(DATA[5000:]).sent == len(DATA) - 5000
    assert feed(b"").sent == 0
    offsets = [int(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    assert offsets == [0, 100, 5000, 5000, len(DATA)]


def test_bytes_behind_the_end_are_not_read(feed):
    assert feed(DATA + b"more").bundle.read_bytes() == DATA


def test_other_bytes_than_announced_leave_nothing(feed, home):
    with pytest.raises(BundleError, match="damaged, and is now removed"):
        feed(bytes(len(DATA)))
    assert not list(home.inbox.iterdir())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(garbage=st.binary(max_size=600), signature_size=st.integers(0, 64))
def test_garbage_gets_a_sentence_and_nothing_whole(feed, home, garbage, signature_size):
    with pytest.raises((UserError, EnvironmentMismatch)):
        feed(garbage, "0" * 64, 500, signature_size)
    assert not list(home.inbox.glob("*.pvb"))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--digest", "../../../etc/passwd", "--size", "10"],
        ["--digest", "AB" * 32, "--size", "10"],
        ["--digest", DIGEST + "\n", "--size", "10"],
        ["--digest", DIGEST, "--size", "0"],
        ["--digest", DIGEST, "--size", "-1"],
        ["--digest", DIGEST, "--size", str(1 << 40)],
        ["--digest", DIGEST, "--size", "10", "--signature-size", "100000"],
    ],
)
def test_what_no_bundle_could_be_is_refused_unread(words, tmp_path):
    assert main.run(["receive", *words, "--home", str(tmp_path / "home")]) == 1
    assert not (tmp_path / "home/inbox").exists()


def test_a_full_disk_is_told_before_the_transfer(feed, home, monkeypatch, capsys):
    usage = namedtuple("Usage", "total used free")(1 << 30, 1 << 30, 1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(EnvironmentMismatch, match="1,048,576 are free"):
        feed(DATA)
    assert capsys.readouterr().out == ""
    assert not list(home.inbox.iterdir())


def test_a_sender_that_went_silent_is_given_up(home, monkeypatch):
    monkeypatch.setattr(inbox, "PATIENCE_S", 0.2)
    silent, held_open = os.pipe()
    os.write(held_open, DATA[:300])
    with os.fdopen(silent, "rb") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        with pytest.raises(EnvironmentMismatch, match="nothing came"):
            receive(ReceiveOptions(DIGEST, len(DATA), 0, home.path))
    os.close(held_open)
    assert (home.inbox / f"{DIGEST}.part").read_bytes() == DATA[:300]


def test_a_bundle_that_was_cut_in_the_inbox_is_sent_anew(feed, home):
    home.prepare()
    (home.inbox / f"{DIGEST}.pvb").write_bytes(DATA[:50])
    assert feed(DATA).bundle.read_bytes() == DATA
    (home.inbox / f"{DIGEST}.pvb").write_bytes(bytes(len(DATA)))
    with pytest.raises(BundleError, match="damaged"):
        feed(b"")
    assert feed(DATA).sent == len(DATA)


def test_one_push_at_a_time(home):
    home.prepare()
    with (
        inbox.taking(home.inbox),
        pytest.raises(EnvironmentMismatch, match="another push"),
        inbox.taking(home.inbox, patience=0.2),
    ):
        pass
    with inbox.taking(home.inbox, patience=0):
        pass


def test_an_earlier_signature_does_not_stand_in_for_none(feed, home):
    home.prepare()
    left = home.inbox / f"{DIGEST}.pvb.sig"
    left.write_bytes(b"of an earlier push")
    feed(DATA)
    assert not left.exists()
