"""Keys, signatures and what a device that has pinned a key takes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from personvit.core.errors import BundleError, ConfigError
from personvit.core.files import sha256
from personvit.core.signature import read_signature, signature_beside
from personvit.deploy_jetson import keygen as keygen_module
from personvit.deploy_jetson import sign as sign_module
from personvit.deploy_jetson.cli import main
from personvit.deploy_jetson.home import Home
from personvit.deploy_jetson.keygen import KeygenOptions, keygen
from personvit.deploy_jetson.sign import SignOptions, sign
from personvit.deploy_jetson.trust import (
    TrustOptions,
    floor,
    pin,
    pinned,
    raise_floor,
    require_trusted,
    trust,
)


@pytest.fixture
def key(tmp_path) -> Path:
    return keygen(KeygenOptions(tmp_path / "keys/fleet")).private


@pytest.fixture
def stranger(tmp_path) -> Path:
    return keygen(KeygenOptions(tmp_path / "keys/stranger")).private


def signed(bundle: Path, key: Path, serial: int = 7) -> Path:
    return sign(SignOptions(bundle, key, serial)).path


def trusted(home: Home, bundle: Path, **how):
    return require_trusted(home, bundle, sha256(bundle), **how)


def public(key: Path) -> Path:
    return key.with_name(key.name + ".pub")


def test_a_device_without_a_key_takes_what_comes(home, own_bundle):
    assert trusted(home, own_bundle) is None


def test_a_device_with_a_key_takes_what_its_owner_signed(home, own_bundle, key):
    pin(home, public(key))
    with pytest.raises(BundleError, match="is not signed"):
        trusted(home, own_bundle)
    signed(own_bundle, key)
    assert trusted(home, own_bundle).serial == 7


def test_several_keys_may_sign_and_each_can_be_withdrawn(home, own_bundle, key, stranger):
    pin(home, public(key))
    signed(own_bundle, stranger)
    with pytest.raises(BundleError, match="which this device does not know"):
        trusted(home, own_bundle)
    pin(home, public(stranger))
    assert trusted(home, own_bundle) is not None
    trust(TrustOptions(public(stranger), home.path, remove=True))
    with pytest.raises(BundleError, match="does not know"):
        trusted(home, own_bundle)


def test_the_last_key_is_not_removed_by_the_way(home, key):
    pin(home, public(key))
    wanted = pinned(home)[0].id
    with pytest.raises(ConfigError, match="--open"):
        trust(TrustOptions(Path(wanted), home.path, remove=True))
    assert trust(TrustOptions(Path(wanted), home.path, remove=True, open=True)).keys == ()


def test_a_signature_of_another_bundle_is_refused(home, own_bundle, key, small_bundle, tmp_path):
    pin(home, public(key))
    other = small_bundle.write(tmp_path / "other.pvb", "fp32", name="other")
    shutil.copy(signed(own_bundle, key), signature_beside(other))
    with pytest.raises(BundleError, match="signs another bundle"):
        trusted(home, other)


def test_a_spoiled_signature_is_refused(home, own_bundle, key):
    pin(home, public(key))
    path = signed(own_bundle, key)
    for before, after in ((b'"serial": 7', b'"serial": 9'), (b"small", b"large"), (b"{", b"[")):
        text = path.read_bytes()
        path.write_bytes(text.replace(before, after))
        with pytest.raises(BundleError):
            trusted(home, own_bundle)
        path.write_bytes(text)
    assert trusted(home, own_bundle) is not None


def test_what_is_older_than_what_was_accepted_is_refused(home, own_bundle, key):
    pin(home, public(key))
    raise_floor(home, read_signature(signed(own_bundle, key, 7)))
    assert trusted(home, own_bundle) is not None, "the same serial again is no step back"
    signed(own_bundle, key, 6)
    with pytest.raises(BundleError, match="older than 7"):
        trusted(home, own_bundle)
    accepted = trusted(home, own_bundle, allow_older=True)
    raise_floor(home, accepted)
    assert floor(home, "small") == 7, "taking an older one once must not lower the floor"


def test_each_model_has_its_own_floor(home, own_bundle, key, small_bundle, tmp_path):
    pin(home, public(key))
    raise_floor(home, read_signature(signed(own_bundle, key, 7)))
    other = small_bundle.write(tmp_path / "other.pvb", "fp32", name="other")
    signed(other, key, 3)
    assert trusted(home, other) is not None
    assert (floor(home, "small"), floor(home, "other")) == (7, 0)


def test_damage_to_what_is_pinned_closes_the_device(home, own_bundle, key):
    pin(home, public(key))
    signed(own_bundle, key)
    file = next(home.trust.glob("*.pem"))
    text = file.read_bytes()
    file.write_bytes(b"")
    with pytest.raises(ConfigError, match="this device takes no bundle"):
        trusted(home, own_bundle)
    file.write_bytes(text)
    (home.trust / "serials.json").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be told from new ones"):
        trusted(home, own_bundle)


def test_keys_are_secret_and_never_overwritten(tmp_path, key):
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes(), public(key).read_bytes()
    with pytest.raises(ConfigError, match="never overwritten"):
        keygen(KeygenOptions(key))
    key.unlink()
    with pytest.raises(ConfigError, match="never overwritten"):
        keygen(KeygenOptions(key))
    assert not key.exists() and public(key).read_bytes() == before[1]
    assert {path.name for path in key.parent.iterdir()} == {"fleet.pub"}


def test_a_key_that_others_can_read_does_not_sign(own_bundle, key, capsys):
    key.chmod(0o640)
    assert main.run(["sign", str(own_bundle), "--key", str(key)]) == 1
    assert "chmod 600" in capsys.readouterr().err
    assert not signature_beside(own_bundle).exists()


def test_a_passphrase_protects_the_key(tmp_path, own_bundle, monkeypatch):
    words = iter(["right", "wrong", "right"])
    monkeypatch.setattr(keygen_module, "_passphrase", lambda: next(words).encode())
    monkeypatch.setattr(sign_module, "_ask", lambda: next(words))
    path = keygen(KeygenOptions(tmp_path / "locked", passphrase=True)).private
    assert "ENCRYPTED" in path.read_text()
    with pytest.raises(ConfigError, match="passphrase is wrong"):
        sign(SignOptions(own_bundle, path))
    assert sign(SignOptions(own_bundle, path)).signature.serial > 1_700_000_000


@pytest.mark.parametrize(
    ("which", "reason"), [("pub", "is a public key"), ("text", "not a private key")]
)
def test_what_cannot_sign_is_told_by_its_kind(tmp_path, own_bundle, key, which, reason):
    other = tmp_path / "given"
    other.write_bytes(public(key).read_bytes() if which == "pub" else b"hello")
    other.chmod(0o600)
    with pytest.raises(ConfigError, match=reason):
        sign(SignOptions(own_bundle, other))


def test_a_spoiled_bundle_is_not_signed(own_bundle, key):
    data = bytearray(own_bundle.read_bytes())
    data[-3000] ^= 1
    own_bundle.write_bytes(data)
    with pytest.raises(BundleError):
        sign(SignOptions(own_bundle, key))
    assert not signature_beside(own_bundle).exists()


def test_a_device_refuses_the_unsigned_before_it_travels(box, own_bundle, fleet_key):
    refused = box.push(own_bundle)
    assert refused.returncode == 1
    assert "is not signed" in refused.stderr and "Traceback" not in refused.stderr
    assert not list(box.home.inbox.iterdir())
    assert box.proxy.sent[-1] < 20_000
    sign(SignOptions(own_bundle, fleet_key))
    assert box.push(own_bundle, "--no-install").returncode == 0
    arrived = box.home.inbox / f"{sha256(own_bundle)}.pvb.sig"
    assert arrived.read_bytes() == signature_beside(own_bundle).read_bytes()


def test_a_device_does_not_go_back_unless_told_to(box, own_bundle, fleet_key, quickly):
    sign(SignOptions(own_bundle, fleet_key, 9))
    done = box.push(own_bundle, "--json", "--", *quickly)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["signed"]
    assert box.home.serving().record().serial == 9
    sign(SignOptions(own_bundle, fleet_key, 8))
    refused = box.push(own_bundle, "--", *quickly, "--again")
    assert refused.returncode == 1
    assert "has serial 8, older than 9" in refused.stderr
    allowed = box.push(own_bundle, "--", *quickly, "--allow-older", "--dry-run")
    assert allowed.returncode == 0, allowed.stderr
    assert box.home.serving().record().serial == 9


SM2 = (
    "MIGHAgEAMBMGByqGSM49AgEGCCqBHM9VAYItBG0wawIBAQQgjEDtFvWblTXlKF33"
    "V1+sVyLvP+plSX8En2gFfdNOrmWhRANCAAQMrTeMOEJgaI8zjLSUQ4x3Q+f7OYqY"
    "pxdoyNHtVhx/R6BdmEi3O+5++ZF5mkX0MQXzCo/Ll5yMVvgrz+BDpNbG"
)
"""A private key made by openssl for this test."""


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_a_key_needs_a_name(name):
    with pytest.raises(ConfigError, match="names no file"):
        keygen(KeygenOptions(Path(name)))


def test_a_key_of_a_curve_that_nobody_knows_is_not_ours(tmp_path, own_bundle):
    other = tmp_path / "sm2"
    other.write_text(f"-----BEGIN PRIVATE KEY-----\n{SM2}\n-----END PRIVATE KEY-----\n")
    other.chmod(0o600)
    with pytest.raises(ConfigError, match="is not an Ed25519 key"):
        sign(SignOptions(own_bundle, other))


def test_keys_that_are_out_of_reach_close_the_device(home, own_bundle, key):
    pin(home, public(key))
    home.trust.rename(home.path / "not-mounted")
    home.trust.symlink_to("elsewhere")
    with pytest.raises(ConfigError, match="takes no bundle"):
        require_trusted(home, own_bundle, sha256(own_bundle))
