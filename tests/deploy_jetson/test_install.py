"""Installing: proven before it serves, refused in a sentence, and nothing half done either way."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from personvit import __version__
from personvit.core.files import sha256
from personvit.deploy_jetson import install_checks
from personvit.deploy_jetson.home import Home
from personvit.deploy_jetson.serving import open_serving
from personvit.engines import known_bad
from personvit.engines.device_facts import DeviceFacts
from personvit.engines.known_bad_row import Row

COMMAND = (sys.executable, "-c", "from personvit.deploy_jetson.cli import main; main()")


def serves(home: Home) -> str:
    with open_serving(home) as serving:
        return serving.facts.bundle


@pytest.fixture(scope="session")
def both(small_bundle, tmp_path_factory) -> Path:
    """Two candidates."""
    folder = tmp_path_factory.mktemp("both")
    return small_bundle.write(folder / "both.pvb", "int8", "fp32", name="both")


def test_an_install_judges_the_candidates_and_writes_what_it_saw(home, both, small_bundle, install):
    answer = install(both, "--batches", "1,4", "--json")
    assert answer.code == 0, answer.err
    told = answer.json
    assert (told["state"], told["slot"], told["bundle"]) == ("installed", "a", sha256(both))
    assert told["variant"] in ("cpu", "cpu-fp16")
    attest = json.loads(Path(told["attest"]).read_text())
    assert attest["tool"] == __version__
    assert attest["bundle"] == sha256(both)
    assert attest["verdict"]["chosen"] == told["variant"]
    assert {trial["variant"] for trial in attest["verdict"]["trials"]} == {"cpu", "cpu-fp16"}
    assert set(attest["drift"]) == {"1", "4"}
    assert all(worst["cosine"] > 0.99 for worst in attest["drift"].values())
    assert set(told["latency_ms"]) == {"1", "4"}
    assert attest["device"]["python"]
    built = {name: digest for name, digest in attest["files"].items() if "engine/" in name}
    assert built and all(sha256(home.slot("a").path / name) == built[name] for name in built)
    with open_serving(home) as serving:
        found = serving.engine.embed(small_bundle.crops)
    assert np.einsum("ij,ij->i", found, small_bundle.embeddings).min() > 0.99


def test_a_second_install_goes_into_the_other_slot_and_leaves_the_first(
    home, serving_old, old, new, install
):
    before = home.slot("a").contents()
    answer = install(new)
    assert answer.code == 0
    assert "serves from slot b" in answer.out
    assert serves(home) == sha256(new)
    assert home.slot("a").contents() == before


def test_what_serves_already_is_said_and_not_built_again(home, old, install):
    assert install(old).code == 0
    answer = install(old)
    assert answer.code == 0
    assert "serves already" in answer.out
    assert not home.slot("b").record_path.exists()
    assert install(old, "--again").code == 0
    assert home.serving() == home.slot("b")
    assert install(old, "--batches", "1,2").code == 0, "other sizes are another engine"
    assert home.serving().record().batches == (1, 2)


def test_a_serving_slot_that_is_damaged_is_not_taken_as_installed(home, serving_old, old, install):
    home.slot("a").attest.write_text("{}")
    assert install(old).code == 0
    assert home.serving() == home.slot("b")
    assert serves(home) == sha256(old)


def test_the_last_slot_that_could_serve_is_not_emptied(serving_new, old, new, install, deploy):
    home = serving_new
    home.slot("b").attest.write_text("{}")
    answer = install(new)
    assert (answer.code, "rollback" in answer.err) == (3, True), answer.err
    assert home.slot("a").require_sound().bundle == sha256(old)
    assert deploy("rollback").code == 0
    assert install(new).code == 0
    assert serves(home) == sha256(new)


def test_a_dry_run_changes_nothing(home, old, install):
    answer = install(old, "--dry-run")
    assert answer.code == 0
    assert "Nothing was changed" in answer.out
    assert not home.path.exists()


def test_a_damaged_bundle_is_refused_before_anything_is_touched(
    home, serving_new, old, new, install, tmp_path
):
    before = home.slot("a").contents()
    data = bytearray(old.read_bytes())
    data[len(data) // 2] ^= 1
    damaged = tmp_path / "damaged.pvb"
    damaged.write_bytes(data)
    answer = install(damaged)
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert home.slot("a").contents() == before
    assert serves(home) == sha256(new)
    assert home.journal.entries(1)[0]["state"] == "failed"


def test_a_bundle_for_another_device_is_refused(home, small_bundle, install, tmp_path):
    foreign = small_bundle.write(tmp_path / "trt.pvb", "fp16", kind="trt-attention")
    answer = install(foreign)
    assert answer.code == 1
    assert "holds nothing for openvino" in answer.err
    assert home.serving() is None


def test_an_engine_that_drifts_does_not_get_to_serve(
    home, serving_old, old, small_bundle, install, tmp_path
):
    turned = np.roll(small_bundle.embeddings, 1, axis=1)
    wrong = small_bundle.write(tmp_path / "wrong.pvb", "fp32", embeddings=turned, name="wrong")
    answer = install(wrong)
    assert answer.code == 3
    assert "golden crop" in answer.err
    assert serves(home) == sha256(old)
    assert not list(home.slot("b").path.iterdir()), "what was refused takes no space"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--batches", "1,x"], 1, "whole numbers"),
        (["--batches", "0"], 1, "whole numbers"),
        (["--variant", "cpu-int4"], 1, "no variant 'cpu-int4'"),
        (["--signature", "missing.sig"], 1, "missing.sig"),
    ],
)
def test_what_makes_no_sense_is_refused(home, old, install, words, code, told):
    answer = install(old, *words)
    assert (answer.code, told in answer.err) == (code, True), answer.err
    assert home.serving() is None


def test_a_toolchain_that_is_to_be_avoided_is_refused_with_its_reason(
    home, old, install, monkeypatch
):
    """No row of the list says `avoid` of what runs here, so this one is planted."""
    row = Row(
        id="planted",
        title="It computes something else.",
        first=(10, 3),
        until=(10, 4),
        seen="always",
        sources=("https://example.org",),
        date="2026-11-20",
        workaround="avoid",
        mend="Take a newer one.",
    )
    monkeypatch.setattr(known_bad, "ROWS", (row,))
    monkeypatch.setattr(install_checks, "runtime_named", lambda name: "tensorrt")
    monkeypatch.setattr(
        install_checks, "variants_for", lambda bundle, name: bundle.manifest.variants
    )
    device = DeviceFacts(kind="jetson", tensorrt="10.3.0")
    monkeypatch.setattr(install_checks, "read_device", lambda: device)
    answer = install(old)
    assert (answer.code, "Take a newer one" in answer.err) == (3, True), answer.err
    assert home.serving() is None


def test_the_slot_that_would_be_emptied_is_no_source(home, serving_new, old, new, install):
    answer = install(home.slot("a").bundle)
    assert answer.code == 1
    assert "rollback" in answer.err
    assert home.slot("a").bundle.exists()
    assert install(home.slot("b").bundle, "--again").code == 0


def test_too_little_room_is_told_before_the_slot_is_emptied(
    home, serving_new, old, new, install, monkeypatch
):
    monkeypatch.setattr(install_checks, "SPARE_BYTES", 1 << 60)
    answer = install(old)
    assert (answer.code, "free some space" in answer.err) == (3, True)
    monkeypatch.undo()
    assert home.slot("a").record() is not None


def test_too_little_memory_is_told_before_the_slot_is_emptied(home, old, install, tmp_path):
    (tmp_path / "box/proc").mkdir(parents=True)
    (tmp_path / "box/proc/meminfo").write_text("MemTotal: 7800000 kB\nMemAvailable: 90000 kB\n")
    os.environ["PERSONVIT_SYSTEM_ROOT"] = str(tmp_path / "box")
    try:
        answer = install(old)
    finally:
        del os.environ["PERSONVIT_SYSTEM_ROOT"]
    assert (answer.code, "stop other programs" in answer.err) == (3, True)


def limited_files() -> None:
    """No file of this process may grow beyond 300 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))


def test_a_disk_that_fills_up_while_copying(home, serving_old, old, new, install, deploy_alone):
    words = "install", new, "--runtime", "openvino"
    answer = deploy_alone(*words, limit=limited_files)
    assert answer.code == 3, answer.err
    assert "not enough room" in answer.err
    assert "Traceback" not in answer.err
    assert not list(home.slot("b").path.iterdir())
    assert serves(home) == sha256(old)
    assert install(new).code == 0


def mountable() -> bool:
    """Whether a file system of our own can be had, in a name space that ends with the process."""
    return not subprocess.run([*APART, "true"], capture_output=True).returncode


APART = "unshare", "--user", "--map-root-user", "--mount"
ON_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size=1300k tmpfs "$1"
cp -a "$2/." "$1"
code=0
"$3" -c "
from personvit.deploy_jetson import install_checks
install_checks.SPARE_BYTES = -(1 << 40)
from personvit.deploy_jetson.cli import main
main()" install "$4" --runtime openvino --home "$1" || code=$?
"$3" -c "from personvit.deploy_jetson.cli import main; main()" status --check --json --home "$1"
exit $code
"""


@pytest.mark.parametrize("apart", [True] if mountable() else [])
def test_a_disk_that_really_fills_up_while_building(
    home, serving_old, old, new, install, tmp_path, apart
):
    """On a disk that holds what serves and the new bundle, but not what is built of it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["sh", "-c", ON_A_SMALL_DISK, "sh", disk, home.path, sys.executable, new]
    done = subprocess.run([*APART, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "not enough room" in done.stderr
    told = json.loads(done.stdout)
    assert told["serving"]["bundle"] == sha256(old)
    assert told["golden_replayed"]


def started(*words) -> subprocess.Popen:
    return subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def wait_for_step(home: Home, step: str, patience: float = 60) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if any(entry["step"] == step for entry in home.journal.entries()):
            return
        time.sleep(0.005)
    raise AssertionError(f"no step {step}")


def test_a_terminated_install_cleans_up_and_says_so(home, new):
    home.prepare()
    with started("install", new, "--runtime", "openvino") as process:
        wait_for_step(home, "judge")
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "interrupted" in told
    assert home.serving() is None
    assert not list(home.slot("a").path.iterdir())
    last = home.journal.entries(1)[0]
    assert (last["step"], last["state"], last["problem"]) == (
        "install",
        "failed",
        "KeyboardInterrupt",
    )


def test_a_second_install_at_the_same_time_is_told_who_is_first(home, old, new, install):
    home.prepare()
    with started("install", new, "--runtime", "openvino") as process:
        wait_for_step(home, "verify")
        answer = install(old)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert answer.code == 3
    assert f"process {process.pid}" in answer.err
    assert serves(home) == sha256(new)


def test_a_service_that_starts_during_an_install_gets_what_serves(
    home, serving_old, old, new, install
):
    """The lock is for those who change the home, not for those who serve from it."""
    with started("install", new, "--runtime", "openvino") as process:
        wait_for_step(home, "stage")
        assert serves(home) in (sha256(old), sha256(new))
        process.communicate(timeout=60)
    assert serves(home) == sha256(new)


def test_a_bundle_that_changes_while_it_is_copied_is_refused(
    home, old, new, install, tmp_path, monkeypatch
):
    from personvit.deploy_jetson import durable

    source = shutil.copy(old, tmp_path / "source.pvb")
    real = durable.copy

    def copy(path: Path, target: Path) -> str:
        shutil.copy(new, source)
        return real(path, target)

    monkeypatch.setattr(durable, "copy", copy)
    answer = install(source)
    assert (answer.code, "changed while it was copied" in answer.err) == (1, True)
    assert home.serving() is None
