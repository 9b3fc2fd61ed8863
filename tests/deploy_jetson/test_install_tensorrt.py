"""Installing on a Jetson in a box: its files say what it is, a stand-in for TensorRT computes.

What a real TensorRT would answer is not shown here; what is done with its answers is.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from personvit.core.files import sha256


def test_install_then_an_upgraded_tensorrt(box, home, jetson_bundle):
    """One by one, because each builds upon what the one before has left."""
    answer = box.deploy("install", jetson_bundle, "--json")
    assert answer.code == 0, answer.err
    told = answer.json
    assert (told["runtime"], told["variant"]) == ("tensorrt", "trt-decomposed")
    assert "trt-10.3-dynamic-shapes" in {row["id"] for row in told["findings"]}
    attest = json.loads(Path(told["attest"]).read_text())
    assert attest["device"]["jetpack"] == "6.2"
    assert any(name.endswith(".plan") for name in attest["files"])
    built = box.builds
    assert built == 2, "on 10.3 every batch size has a plan of its own, and none is built twice"

    answer = box.deploy("status", "--check", "--json")
    assert answer.json["golden_replayed"], answer.err
    assert box.builds == built, "the plans of the slot are used"

    answer = box.deploy("status", "--check", "--json", version="10.16")
    assert answer.code == 0, answer.err
    assert "building the engine" in answer.err
    assert answer.json["serving"]["environment"]["version"].startswith("10.16")
    assert box.builds > built
    built = box.builds
    slot = home.slot("a")
    assert slot.contents() == slot.record().files
    assert not [name for name in slot.record().files if "tensorrt-10.3" in name]

    assert box.deploy("status", "--check", version="10.16").code == 0
    assert box.builds == built, "it was built again once"


def test_a_bundle_without_a_graph_for_this_tensorrt_is_refused(box, home, small_bundle, tmp_path):
    newer = small_bundle.write(tmp_path / "newer.pvb", "fp16", kind="trt-attention")
    answer = box.deploy("install", newer)
    assert answer.code == 1
    assert "wanted trt-decomposed, found trt-attention" in answer.err
    assert home.serving() is None


@pytest.mark.parametrize(
    ("fault", "words", "told"),
    [
        ("permuted", [], "golden crop"),
        ("crash", [], "can serve here"),
        ("hang", ["--limit-s", "2"], "2 s"),
    ],
)
def test_an_engine_that_goes_wrong_does_not_get_to_serve(
    box, home, jetson_bundle, serving_old, old, fault, words, told
):
    answer = box.deploy("install", jetson_bundle, "--batches", "1", *words, fault=fault)
    assert answer.code == 3, answer.err
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert home.serving().require_sound().bundle == sha256(old)


def test_no_build_outlives_an_install_that_was_killed(box, shared, home, jetson_bundle):
    """Or it would go on writing into a slot that the next install fills."""
    killing = shared("deploy_jetson/killing.py")
    words = [*killing.COMMAND, "install", str(jetson_bundle)]
    with subprocess.Popen(
        words, env=box.variables(fault="hang"), stderr=subprocess.PIPE
    ) as process:
        while process.poll() is None and not box.builds:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    killing.require_none_left(home)
