"""Pushing to a device in a box: broken links, wrong hosts, spoiled parts, and what install says."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from personvit.core.files import sha256


def test_a_push_ends_with_a_bundle_that_serves(box, bundle, quickly):
    done = box.push(bundle, "--json", "--", *quickly)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["installed"] and not told["signed"] and told["resumed_at"] == [0]
    record = box.home.serving().record()
    assert record.bundle == sha256(bundle) and record.runtime == "openvino"
    assert "serves from slot" in done.stderr


def test_broken_connections_cost_nothing_that_had_arrived(box, bundle):
    size = bundle.stat().st_size
    cuts = np.random.default_rng(3).integers(size // 8, size // 4, 3).tolist()
    box.proxy.cuts = list(cuts)
    done = box.push(bundle, "--no-install", "--json", "--tries", "4")
    assert done.returncode == 0, done.stderr
    starts = json.loads(done.stdout)["resumed_at"]
    assert len(starts) == 4 and starts[3] > 0
    # What was still in sshd's hands when a connection ended is lost, and nothing else.
    for number, cut in enumerate(cuts):
        assert 0 <= starts[number + 1] - starts[number] < cut
    greetings = 20_000
    assert box.proxy.sent[3] < size - starts[3] + greetings
    assert sha256(box.home.inbox / f"{sha256(bundle)}.pvb") == sha256(bundle)
    assert not list(box.home.inbox.glob("*.part"))


def test_another_push_goes_on_where_the_last_one_broke(box, bundle):
    box.proxy.cuts = [1_000_000]
    broken = box.push(bundle, "--no-install", "--tries", "1")
    assert broken.returncode == 3
    assert "failed or broke" in broken.stderr and "Traceback" not in broken.stderr
    there = next(box.home.inbox.glob("*.part")).stat().st_size
    assert 0 < there < 1_000_000
    done = box.push(bundle, "--no-install")
    assert done.returncode == 0, done.stderr
    assert f"{there:,} of which were there already" in done.stdout
    again = box.push(bundle, "--no-install", "--json")
    assert json.loads(again.stdout)["resumed_at"] == [bundle.stat().st_size]


def test_a_part_that_was_spoiled_is_refused_and_removed(box, bundle):
    box.proxy.cuts = [1_000_000]
    box.push(bundle, "--no-install", "--tries", "1")
    part = next(box.home.inbox.glob("*.part"))
    spoiled = bytearray(part.read_bytes())
    spoiled[1000] ^= 1
    part.write_bytes(spoiled)
    refused = box.push(bundle, "--no-install")
    assert refused.returncode == 1
    assert "damaged, and is now removed" in refused.stderr
    assert not list(box.home.inbox.iterdir())
    assert box.push(bundle, "--no-install").returncode == 0


def test_a_host_with_another_key_is_not_talked_to(box, bundle, tmp_path):
    stranger = (box.folder / "client.pub").read_text()
    box.trust_host_key(stranger)
    known = (box.folder / "known_hosts").read_text()
    refused = box.push(bundle, "--no-install")
    assert refused.returncode == 3
    assert "IDENTIFICATION HAS CHANGED" in refused.stderr
    assert len(box.proxy.sent) == 1, "a refused host must not be tried again"
    assert (box.folder / "known_hosts").read_text() == known
    assert not box.home.path.exists()


def test_an_unknown_host_is_not_learned_silently(box, bundle):
    (box.folder / "known_hosts").write_text("")
    refused = box.push(bundle, "--no-install")
    assert refused.returncode == 3
    assert "Host key verification failed" in refused.stderr
    assert (box.folder / "known_hosts").read_text() == ""


def test_what_install_says_there_comes_back_with_its_code(box, bundle):
    refused = box.push(bundle, "--", "--runtime", "tensorrt")
    assert refused.returncode == 3, refused.stderr
    assert "error: tensorrt" in refused.stderr
    assert "'install' on box ended with code 3" in refused.stderr
    usage = box.push(bundle, "--", "--batches", "none")
    assert usage.returncode == 1
    assert "--batches" in usage.stderr


def test_words_for_install_reach_no_shell(box, bundle):
    refused = box.push(bundle, "--", "--variant", "$(touch pwned); touch pwned")
    assert refused.returncode == 1
    assert not (box.folder / "pwned").exists()


def test_two_pushes_at_once_both_arrive(box, bundle, small_bundle, tmp_path):
    other = small_bundle.write(tmp_path / "other.pvb", "fp32", name="other")
    words = (box.name, "--ssh-config", box.config, "--no-install")
    both = [
        subprocess.Popen(box.command("push", path, *words), stderr=subprocess.PIPE, text=True)
        for path in (bundle, other)
    ]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    there = {sha256(path) for path in box.home.inbox.glob("*.pvb")}
    assert there == {sha256(bundle), sha256(other)}


def test_a_login_script_that_talks_is_no_obstacle(box, bundle):
    (box.folder / "noise").touch()
    done = box.push(bundle, "--no-install")
    assert done.returncode == 0, done.stderr


def test_a_device_without_personvit_is_told_how_to_get_it(box, bundle):
    refused = box.push(bundle, "--remote-command", "sudoless/personvit-deploy")
    assert refused.returncode == 3
    assert "install personvit there" in refused.stderr


def test_a_remote_command_that_cannot_be_read_is_told(box, bundle):
    refused = box.push(bundle, "--remote-command", "sudo 'x")
    assert refused.returncode == 1
    assert "No closing quotation" in refused.stderr


@pytest.mark.parametrize("name", ["-oProxyCommand=touch pwned", "a b", "", "box;id", "-l@box"])
def test_a_destination_that_is_no_host_is_refused_here(box, bundle, name, tmp_path):
    words = ("push", "--no-install", "--", bundle, name)
    refused = box.deploy(*words, cwd=tmp_path)
    assert refused.returncode == 1, refused.stderr
    assert "is not a device" in refused.stderr
    assert not (tmp_path / "pwned").exists()


def test_a_bundle_is_verified_before_it_travels(box, own_bundle):
    data = bytearray(own_bundle.read_bytes())
    data[-3000] ^= 1
    own_bundle.write_bytes(data)
    assert box.push(own_bundle).returncode == 1
    assert not box.proxy.sent


def test_what_was_left_long_ago_is_swept(box, bundle):
    box.home.prepare()
    for name, days in (("old.part", 8), ("new.part", 6), ("old.pvb", 2)):
        left = box.home.inbox / (hashlib.sha256(name.encode()).hexdigest() + name[3:])
        left.touch()
        then = left.stat().st_mtime - days * 86400
        shutil.os.utime(left, (then, then))
    assert box.push(bundle, "--no-install").returncode == 0
    suffixes = sorted(path.suffix for path in box.home.inbox.iterdir())
    assert suffixes == [".part", ".pvb"]
    assert re.fullmatch("[0-9a-f]{64}", next(box.home.inbox.glob("*.pvb")).stem)
