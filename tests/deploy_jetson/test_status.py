"""Status: what serves, what there is to go back to, and whether it still could."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

from personvit.core.files import sha256

OPEN = """
from personvit.deploy_jetson.home import open_home
from personvit.deploy_jetson.serving import open_serving
open_serving(open_home()).close()
"""
BARE = "setpriv", "--bounding-set=-all", "--inh-caps=-all"


def private() -> None:
    os.umask(0o027)


def test_nothing_installed_is_an_answer(home, deploy):
    answer = deploy("status")
    assert answer.code == 0
    assert "nothing serves" in answer.out
    assert not home.path.exists(), "asking changes nothing"
    assert deploy("status", "--json").json["serving"] is None


def test_status_tells_both_slots_and_the_journal(serving_new, old, new, deploy):
    told = deploy("status", "--json").json
    assert told["serving"]["slot"] == "b"
    assert (told["serving"]["bundle"], told["other"]["bundle"]) == (sha256(new), sha256(old))
    assert told["serving"]["sound"] and told["other"]["sound"]
    assert told["serving"]["runtime"] == "openvino"
    assert set(told["serving"]["latency_ms"]) == {"1", "8"}
    assert told["journal"][-1]["step"] == "install"
    assert not told["golden_replayed"]
    text = deploy("status").out
    assert sha256(new) in text and "as they were sealed" in text


def test_check_opens_the_engine_and_fails_where_it_cannot_serve(serving_new, deploy):
    answer = deploy("status", "--check", "--json")
    assert answer.code == 0
    assert answer.json["golden_replayed"]
    serving_new.slot("b").attest.write_text("{}")
    answer = deploy("status", "--check")
    assert (answer.code, "rollback" in answer.err) == (3, True)
    told = deploy("status", "--json").json
    assert not told["serving"]["sound"]
    assert "changed after it was installed" in told["serving"]["why"]


def test_a_record_that_cannot_be_read_is_told(serving_new, deploy):
    serving_new.slot("a").record_path.write_text("{")
    told = deploy("status", "--json").json
    assert told["serving"]["sound"]
    assert not told["other"]["sound"]


def test_an_install_in_a_box_records_the_device_its_power_mode_and_energy(
    home, old, deploy_alone, tree
):
    """The box answers for the device; the model runs on this machine's processor."""
    root = tree / "tests/boxes/orin-nano-jp62"
    answer = deploy_alone(
        *("install", old, "--runtime", "openvino", "--json"),
        PERSONVIT_SYSTEM_ROOT=str(root),
        PATH=f"{root / 'usr/bin'}{os.pathsep}{os.environ['PATH']}",
    )
    assert answer.code == 0, answer.err
    attest = json.loads(Path(answer.json["attest"]).read_text())
    assert "Orin Nano" in attest["device"]["module"]
    assert attest["device"]["power_mode"] == "25W"
    assert attest["energy"]["joules"] > 0


@pytest.mark.parametrize("may_drop", [True] if os.geteuid() == 0 and which("setpriv") else [])
def test_a_service_that_owns_nothing_reads_what_root_installed(home, old, deploy_alone, may_drop):
    """Without root's power over files, and with files that are another user's."""
    home.prepare()
    assert deploy_alone("install", old, "--runtime", "openvino", limit=private).code == 0
    for path in (home.path, *home.path.rglob("*")):
        os.lchown(path, 4321, 4321)
    done = subprocess.run([*BARE, sys.executable, "-c", OPEN], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    writes = subprocess.run([*BARE, "test", "-w", home.slot("a").path])
    assert writes.returncode != 0, "the test would show nothing"


@pytest.mark.parametrize(
    "attest",
    ['{"verdict": {"trials": [1]}}', '{"verdict": {"trials": [{"layers": 1}]}}', "[" * 200_000],
)
def test_a_report_tells_the_rest_where_the_attestation_is_nonsense(serving_new, deploy, attest):
    serving_new.serving().attest.write_text(attest)
    answer = deploy("report", "--json")
    assert answer.code == 0
    assert answer.json["status"]["serving"]["name"] == "new"


def test_a_record_with_batches_that_cannot_be_is_refused_at_once(serving_new, deploy):
    path = serving_new.serving().record_path
    path.write_text(json.dumps({**json.loads(path.read_text()), "batches": [1, 10**9]}))
    answer = deploy("status", "--check")
    assert answer.code == 1
    assert "batches [1, 1000000000] cannot be" in answer.err


def test_a_pipe_in_the_place_of_a_slot_is_not_waited_for(serving_new, deploy):
    slot = serving_new.serving().path
    slot.rename(slot.with_name("moved"))
    os.mkfifo(slot)
    answer = deploy("status", "--check")
    assert answer.code in (1, 3)
    assert str(slot) in answer.err
