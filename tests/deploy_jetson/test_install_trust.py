"""Installing on a device with a pinned key: only what its owner signed, and nothing older."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from personvit.core.files import sha256
from personvit.deploy_jetson.trust import floor


@pytest.fixture
def key(deploy, tmp_path) -> Path:
    assert deploy("keygen", tmp_path / "fleet").code == 0
    return tmp_path / "fleet"


@pytest.fixture
def signed(deploy, key, tmp_path):
    def sign(bundle: Path, serial: int) -> Path:
        copy = tmp_path / f"{serial}" / bundle.name
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(bundle, copy)
        assert deploy("sign", copy, "--key", key, "--serial", serial).code == 0
        return copy

    return sign


@pytest.fixture
def pinned(deploy, key) -> None:
    assert deploy("trust", f"{key}.pub").code == 0


def test_what_is_unsigned_or_tampered_with_changes_nothing(
    home, serving_new, old, pinned, signed, install
):
    before = home.slot("a").contents()
    forged = signed(old, 7)
    beside = forged.with_name(forged.name + ".sig")
    beside.write_text(beside.read_text().replace('"serial": 7', '"serial": 8'))
    for bundle, told in ((old, "not signed"), (forged, "forged")):
        answer = install(bundle)
        assert (answer.code, told in answer.err) == (1, True), answer.err
    assert home.slot("a").contents() == before
    assert home.serving() == home.slot("b")


def test_a_serial_must_not_fall(home, new, pinned, signed, install):
    first, older = signed(new, 5), signed(new, 4)
    assert install(first).code == 0
    slot = home.serving()
    assert slot.record().serial == 5
    assert "bundle.pvb.sig" in slot.record().files
    assert floor(home, "new") == 5
    answer = install(older, "--again")
    assert (answer.code, "older than 5" in answer.err) == (1, True)
    assert install(older, "--again", "--allow-older").code == 0
    assert floor(home, "new") == 5


def test_a_floor_that_a_loss_of_power_kept_low_is_raised_first(home, new, pinned, signed, install):
    assert install(signed(new, 5)).code == 0
    (home.trust / "serials.json").unlink()
    answer = install(signed(new, 4), "--again")
    assert (answer.code, "older than 5" in answer.err) == (1, True)


def test_an_unsigned_slot_is_not_gone_back_to_once_a_key_is_pinned(
    home, serving_new, new, pinned, deploy
):
    answer = deploy("rollback")
    assert (answer.code, "not signed" in answer.err) == (1, True)
    assert home.serving().require_sound().bundle == sha256(new)


def test_a_signature_is_kept_before_a_key_is_pinned_and_must_be_of_this_bundle(
    home, old, new, signed, key, install, deploy
):
    first = signed(old, 1)
    assert install(first).code == 0
    assert home.slot("a").signature.exists()
    other = first.with_name("other.pvb")
    shutil.copy(new, other)
    answer = install(other, "--signature", first.with_name(first.name + ".sig"))
    assert (answer.code, "signs another bundle" in answer.err) == (1, True)
    assert install(new).code == 0
    assert deploy("trust", f"{key}.pub").code == 0
    assert deploy("rollback").code == 0, "what was signed can be gone back to"
