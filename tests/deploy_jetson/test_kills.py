"""Killed at any moment, an install or a rollback leaves a slot that serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from personvit.core.files import sha256
from personvit.deploy_jetson.home import Home

SHORT = {"over": 5, "first": 3, "rollback": 2}
"""Ten kills wherever the tests run; a hundred of each kind by night."""


def install_words(bundle: Path) -> tuple[str, ...]:
    return "install", str(bundle), "--runtime", "openvino"


@pytest.fixture(scope="module")
def killing(shared):
    return shared("deploy_jetson/killing.py")


@pytest.mark.parametrize(
    "count", [SHORT["over"], pytest.param(100, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_kills_of_an_install_over_another(
    killing, home: Home, serving_old, old, new, install, count
):
    """The old bundle serves or the new one, and the next install goes through."""
    names = {sha256(old): "old", sha256(new): "new"}
    killer = killing.Killer("over", home, killing.run(home, install_words(new)))
    serving, other = new, old
    for _ in range(count):
        killer.kill(install_words(other), names)
        assert install(other, "--again").code == 0
        killing.require_tidy(home)
        assert killing.require_whole(home, names) == names[sha256(other)]
        serving, other = other, serving


@pytest.mark.parametrize(
    "count", [SHORT["first"], pytest.param(100, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_kills_of_a_first_install(killing, tmp_path, new, monkeypatch, install, count):
    """Nothing serves or the whole bundle does, and the next install goes through."""
    names = {sha256(new): "new", "": "nothing"}

    def fresh(name: str) -> Home:
        home = Home(tmp_path / name)
        home.prepare()
        monkeypatch.setenv("PERSONVIT_HOME", str(home.path))
        return home

    home = fresh("undisturbed")
    killer = killing.Killer("first", home, killing.run(home, install_words(new)))
    for number in range(count):
        killer.home = home = fresh(str(number))
        killer.kill(install_words(new), names)
        assert install(new).code == 0
        killing.require_tidy(home)
        assert killing.require_whole(home, names) == "new"


@pytest.mark.parametrize(
    "count", [SHORT["rollback"], pytest.param(100, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_kills_of_a_rollback(killing, home: Home, serving_new, old, new, install, deploy, count):
    """One of the two serves, and both can."""
    names = {sha256(old): "old", sha256(new): "new"}
    killer = killing.Killer("rollback", home, killing.run(home, ("rollback",)))
    for _ in range(count):
        serves = killer.kill(("rollback",), names).serves
        assert deploy("rollback").code == 0
        killing.require_tidy(home)
        assert {serves, killing.require_whole(home, names)} == {"old", "new"}


@pytest.mark.slow
def test_kills_of_an_install_with_tensorrt(
    killing, home: Home, small_bundle, box, tmp_path, monkeypatch
):
    """Its builder is a process of its own, and keeps plans, locks and timings in the slot."""
    for name, value in box.variables().items():
        monkeypatch.setenv(name, value)
    old, new = (
        small_bundle.write(tmp_path / f"{name}.pvb", "fp16", kind="trt-decomposed", name=name)
        for name in ("old", "new")
    )
    names = {sha256(old): "old", sha256(new): "new"}

    def words(bundle: Path) -> tuple[str, ...]:
        return "install", str(bundle), "--batches", "1"

    def serving(home: Home, names: dict[str, str]) -> str:
        answer = box.deploy("status", "--check", "--json")
        assert answer.code == 0, answer.err
        return names[answer.json["serving"]["bundle"]]

    assert box.deploy(*words(old)).code == 0
    killer = killing.Killer("tensorrt", home, killing.run(home, words(new)), serving)
    for number in range(100):
        other = (old, new)[number % 2]
        killer.kill(words(other), names)
        answer = box.deploy(*words(other), "--again")
        assert answer.code == 0, answer.err
        killing.require_tidy(home)
        assert serving(home, names) == names[sha256(other)]
