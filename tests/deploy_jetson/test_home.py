"""A home: its folders, its link, its lock and its journal survive what devices go through."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from personvit.core.errors import EnvironmentMismatch, UserError
from personvit.deploy_jetson import journal as journals
from personvit.deploy_jetson.home import Home, open_home


def test_the_home_is_the_one_told_then_the_environment_s_then_the_user_s(tmp_path, monkeypatch):
    monkeypatch.setenv("PERSONVIT_HOME", str(tmp_path / "env"))
    assert open_home(tmp_path / "told").path == tmp_path / "told"
    assert open_home().path == tmp_path / "env"
    monkeypatch.delenv("PERSONVIT_HOME")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert str(open_home().path) == "/var/lib/personvit"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_home().path == tmp_path / ".local/share/personvit"


def test_the_link_leads_to_one_slot_and_the_other_is_spare(home: Home):
    home.prepare()
    assert home.serving() is None
    assert home.spare().name == "a"
    for name, other in (("a", "b"), ("b", "a"), ("b", "a")):
        home.switch(home.slot(name))
        assert (home.serving(), home.spare()) == (home.slot(name), home.slot(other))
        assert (home.path / "current").resolve() == home.slot(name).path.resolve()
    assert not [path for path in home.path.iterdir() if path.name.startswith(".")]


def test_a_home_that_was_moved_still_serves(home: Home, tmp_path):
    home.prepare()
    home.switch(home.slot("b"))
    moved = Home(home.path.rename(tmp_path / "elsewhere"))
    assert moved.serving() == moved.slot("b")


def test_a_link_that_someone_else_made_is_refused(home: Home, tmp_path):
    home.prepare()
    for target in (tmp_path, "slots/c", "../slots/a"):
        home.current.unlink(missing_ok=True)
        home.current.symlink_to(target)
        with pytest.raises(UserError, match="not to a slot"):
            home.serving()
    home.current.unlink()
    home.current.mkdir()
    with pytest.raises(UserError, match="is not a link"):
        home.serving()


def test_one_process_changes_a_home_and_the_next_is_told_which(home: Home):
    home.prepare()
    with (
        home.locked("install"),
        pytest.raises(EnvironmentMismatch, match=rf"install' \(process {os.getpid()}, since"),
        home.locked("rollback"),
    ):
        pass
    with home.locked("rollback"):
        pass


def test_a_torn_line_is_skipped_and_closed_off(home: Home):
    home.prepare()
    home.journal.write("install", "verify", "done", bundle="ab")
    with home.journal.path.open("ab") as file:
        file.write(b'{"time": "2026-11-20T12')
    home.journal.write("install", "stage", "begin")
    assert [entry["step"] for entry in home.journal.entries()] == ["verify", "stage"]
    assert [entry["step"] for entry in home.journal.entries(1)] == ["stage"]


def test_a_journal_does_not_grow_for_ever(home: Home, monkeypatch):
    home.prepare()
    monkeypatch.setattr(journals, "MAX_BYTES", 2000)
    for number in range(60):
        home.journal.write("install", "verify", "done", number=number)
        home.journal.trim()
    numbers = [entry["number"] for entry in home.journal.entries()]
    assert home.journal.path.stat().st_size <= 2000
    assert numbers == list(range(numbers[0], 60))


def test_what_is_written_twice_by_name_is_no_confusion(home: Home):
    home.prepare()
    home.journal.write("install", "verify", "done", step="mine", name="model")
    line = json.loads(home.journal.path.read_text())
    assert (line["step"], line["name"]) == ("verify", "model")


def test_a_user_without_a_home_is_told_how_to_name_one(monkeypatch):
    with pytest.raises(UserError, match="no home folder here; name the folder with --home"):
        open_home(Path("~no-such-user/x"))


def test_lines_too_deep_to_read_and_a_pipe_in_the_journals_place_are_no_entries(home: Home):
    home.prepare()
    home.journal.path.write_bytes(b"[" * 200_000 + b"\n" + b'{"step": "one"}\n')
    assert [entry["step"] for entry in home.journal.entries()] == ["one"]
    home.journal.path.unlink()
    os.mkfifo(home.journal.path)
    assert home.journal.entries() == ()
