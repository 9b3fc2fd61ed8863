"""What devices tell over ssh, and which of them is named as different."""

from __future__ import annotations

import copy
import json
import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personvit.deploy_jetson import inquiry
from personvit.deploy_jetson.fleet import compare
from personvit.deploy_jetson.inquiry import Answer
from personvit.deploy_jetson.openssh import LinkOptions

STATUS = {
    "tool": "0.1.0",
    "device": {"module": "Orin Nano", "jetpack": "6.2", "power_mode": "25W"},
    "serving": {
        "name": "market",
        "bundle": "ab" * 32,
        "serial": 7,
        "variant": "trt-decomposed",
        "runtime": "tensorrt",
        "sound": True,
        "latency_ms": {"1": 5.0, "8": 2.0},
    },
    "keys": ["key-1"],
}


def answer(host: str, **changes) -> Answer:
    status = copy.deepcopy(STATUS)
    for name, value in changes.items():
        table = status["device"] if name in status["device"] else status["serving"]
        table[name] = value
    return Answer(f"jetson@{host}", {"status": status})


def test_equal_devices_give_no_finding():
    fleet = compare([answer(host) for host in "abc"])
    assert fleet.findings == ()
    assert "All devices agree" in fleet.as_text()


def test_an_outlier_is_named_with_what_it_has_and_what_most_have():
    fleet = compare([answer("a"), answer("b", power_mode="7W"), answer("c")])
    assert fleet.findings == ("b differs in power_mode: 7W, most have 25W",)
    other = compare([answer("a"), answer("b", bundle="cd" * 32), answer("c")])
    assert "differs in bundle: cdcdcdcdcdcd..., most have abababababab..." in other.findings[0]


def test_two_devices_that_differ_are_not_called_outliers():
    fleet = compare([answer("a"), answer("b", serial=8)])
    assert fleet.findings == ("devices are split in serial: 7 (a); 8 (b)",)


def test_a_slow_device_is_named_beside_devices_like_it_only():
    like = [answer("a"), answer("b"), answer("c", latency_ms={"1": 9.0, "8": 2.0})]
    findings = compare(like).findings
    assert len(findings) == 1 and findings[0].startswith("c takes 9.00 ms per crop at batch 1")
    unlike = answer("d", module="AGX Orin", latency_ms={"1": 50.0})
    assert not any(
        finding.startswith("d takes") for finding in compare([*like[:2], unlike]).findings
    )


def test_a_device_that_serves_nothing_or_something_spoiled_is_named():
    empty = Answer("b", {"status": {**STATUS, "serving": None}})
    spoiled = answer("c", sound=False, why="bundle.pvb was changed")
    silent = Answer("d", {}, "the connection failed")
    findings = compare([answer("a"), empty, spoiled, silent]).findings
    assert findings[:3] == (
        "b: nothing serves there",
        "c: bundle.pvb was changed",
        "d: the connection failed",
    )


values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["device", "serving", "keys", "problem", "tool"]), values))
def test_a_device_that_tells_nonsense_is_only_another_row(status):
    strange = Answer("root@x", {"status": status})
    fleet = compare([answer("a"), strange, answer("b")])
    assert len(fleet.rows) == 3
    assert "\x1b" not in fleet.as_text()


@pytest.fixture
def pair(new_box, bundle, quickly):
    """Two devices that serve the same, one of them another Jetson; one configuration for both."""
    first, second = new_box("orin"), new_box("thor", root="thor-jp71")
    assert first.push(bundle, "--", *quickly).returncode == 0
    shutil.copytree(first.home.path, second.home.path, symlinks=True)
    config = first.folder / "both"
    config.write_text(first.config.read_text() + second.config.read_text())
    return first, second, config


def test_devices_are_asked_at_once_and_their_reports_kept(pair, tmp_path):
    first, second, config = pair
    out = tmp_path / "fleet"
    done = first.deploy("collect", "orin", "thor", "--ssh-config", config, "-o", out, "--json")
    assert done.returncode == 0, done.stderr
    assert "differs" in done.stdout or "split" in done.stdout
    for box in pair[:2]:
        folder = out / box.name
        names = {"attest.json", "status.json", "doctor.json", "layers.json", "journal.jsonl"}
        assert {path.name for path in folder.iterdir()} == names
        attest = json.loads((folder / "attest.json").read_text())
        assert attest["bundle"] == first.home.serving().record().bundle
        assert "problem" not in json.loads((folder / "doctor.json").read_text())
        journal = (folder / "journal.jsonl").read_text().splitlines()
        assert {json.loads(line)["action"] for line in journal} == {"receive", "install"}
    assert "Orin Nano" in (out / "summary.md").read_text()
    status = first.deploy("status", "orin", "thor", "--ssh-config", config)
    assert status.returncode == 0, status.stderr
    assert status.stdout.count("small, ") == 2
    (second.home.serving().bundle).write_bytes(b"spoiled")
    checked = first.deploy("status", "orin", "thor", "--check", "--ssh-config", config)
    assert checked.returncode == 3
    assert "thor:" in checked.stderr and "changed after it was installed" in checked.stderr


def test_a_silent_device_does_not_silence_the_others(box, tmp_path):
    box.config.write_text(box.config.read_text() + "Host gone\n  HostName 127.0.0.1\n  Port 1\n")
    out = tmp_path / "fleet"
    done = box.deploy("collect", "gone", box.name, "--ssh-config", box.config, "-o", out)
    assert done.returncode == 3
    assert "1 of 2 devices gave no report (gone)" in done.stderr
    assert "nothing serves there" in (out / "summary.md").read_text()
    assert (out / box.name / "status.json").exists()


def test_a_device_named_twice_is_refused(box, tmp_path):
    words = ("collect", box.name, f"root@{box.name}", "-o", tmp_path / "fleet")
    refused = box.deploy(*words, "--ssh-config", box.config)
    assert refused.returncode == 1
    assert "more than once" in refused.stderr


@pytest.mark.parametrize("said", ["sleep 600", "yes"])
def test_a_device_that_hangs_or_never_ends_is_given_up(tmp_path, monkeypatch, said):
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\nexec {said}\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(inquiry, "PATIENCE_S", 1.0 if said != "yes" else 60.0)
    (answer,) = inquiry.ask(["jetson@a"], LinkOptions())
    assert "no whole answer came" in answer.problem
