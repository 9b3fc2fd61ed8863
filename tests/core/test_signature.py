"""Signature files and public keys: one spelling each, and a sentence for everything else."""

from __future__ import annotations

import dataclasses
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personvit.core.errors import BundleError, ConfigError, UserError
from personvit.core.signature import (
    MAX_SERIAL,
    PublicKey,
    Signature,
    check_signature,
    read_signature,
)

SECRET = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"1")
KEY = PublicKey(SECRET.public_key().public_bytes_raw())
OTHER_KEY = PublicKey(OTHER.public_key().public_bytes_raw())
DIGEST = "ab" * 32
UNSIGNED = Signature(DIGEST, "market", 7, KEY.id)


def signed(secret=SECRET, **changes) -> Signature:
    statement = dataclasses.replace(UNSIGNED, **changes)
    return statement.signed(secret.sign(statement.to_sign()))


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "model.pvb.sig"
    place.write_bytes(signed().to_bytes())
    return place


def test_a_good_signature_tells_what_it_vouches_for(path):
    found = check_signature(path, KEY, DIGEST)
    assert (found.digest, found.name, found.serial, found.key_id) == (DIGEST, "market", 7, KEY.id)
    assert read_signature(path) == found


def test_every_field_is_signed(path):
    changes = {"digest": "cd" * 32, "name": "msmt", "serial": 8}
    for field, value in changes.items():
        path.write_bytes(dataclasses.replace(signed(), **{field: value}).to_bytes())
        digest = value if field == "digest" else DIGEST
        with pytest.raises(BundleError, match="forged or damaged"):
            check_signature(path, KEY, digest)


def test_another_bundles_signature_and_another_key_are_told_apart(path):
    with pytest.raises(BundleError, match="signs another bundle"):
        check_signature(path, KEY, "cd" * 32)
    with pytest.raises(BundleError, match=f"made with {KEY.id}"):
        check_signature(path, OTHER_KEY, DIGEST)
    path.write_bytes(signed(OTHER).to_bytes())
    with pytest.raises(BundleError, match="forged or damaged"):
        check_signature(path, KEY, DIGEST)


def test_a_signature_of_something_else_by_the_same_key_does_not_count(path):
    """The first line of what is signed belongs to bundles alone."""
    bare = UNSIGNED.to_sign().partition(b"\n")[2]
    path.write_bytes(UNSIGNED.signed(SECRET.sign(bare)).to_bytes())
    with pytest.raises(BundleError, match="forged or damaged"):
        check_signature(path, KEY, DIGEST)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": 2}, "upgrade personvit"),
        ({"schema": 0}, "schema must be 1"),
        ({"digest": "AB" * 32}, "64 hexadecimal"),
        ({"serial": 0}, "serial must be"),
        ({"serial": MAX_SERIAL + 1}, "serial must be"),
        ({"serial": True}, "a whole number"),
        ({"serial": "7"}, "a whole number"),
        ({"name": ""}, "printable"),
        ({"name": "a\nb"}, "printable"),
        ({"name": "\ud800"}, "printable"),
        ({"key_id": "../../etc"}, "key_id must be"),
        ({"signature": ""}, "64 bytes as base64"),
        ({"signature": "\ud800"}, "64 bytes as base64"),
        ({"signature": "A" * 88}, "64 bytes as base64"),
        ({"note": "x"}, "unknown note"),
    ],
)
def test_a_file_that_says_other_things_is_refused_with_the_field(path, change, reason):
    fields = json.loads(path.read_bytes())
    path.write_text(json.dumps({**fields, **change}, sort_keys=True, indent=1) + "\n")
    with pytest.raises(BundleError, match=reason):
        read_signature(path)


def test_a_second_spelling_of_the_same_file_is_refused(path):
    path.write_text(json.dumps(json.loads(path.read_bytes())))
    with pytest.raises(BundleError, match="edited or written by another tool"):
        read_signature(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.data())
def test_no_damage_passes_and_all_of_it_gets_a_sentence(path, data):
    good = signed().to_bytes()
    at = data.draw(st.integers(0, len(good) - 1))
    piece = data.draw(st.binary(max_size=8))
    damaged = good[:at] + piece + good[at + data.draw(st.integers(0, 8)) :]
    path.write_bytes(damaged)
    if damaged == good:
        check_signature(path, KEY, DIGEST)
    else:
        with pytest.raises(UserError):
            check_signature(path, KEY, DIGEST)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=6000))
def test_any_bytes_get_a_sentence(path, data):
    path.write_bytes(data)
    with pytest.raises(BundleError):
        read_signature(path)
    with pytest.raises(UserError):
        PublicKey.from_pem(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(BundleError, match="this is missing"):
        read_signature(tmp_path / "gone.sig")
    with pytest.raises(BundleError, match="a folder"):
        read_signature(tmp_path)


def test_a_public_key_survives_its_file(tmp_path):
    place = tmp_path / "fleet.pub"
    place.write_text(KEY.to_pem())
    assert PublicKey.from_pem(place) == KEY
    place.write_text(KEY.to_pem().replace("\n", "\r\n") + "\r\n")
    assert PublicKey.from_pem(place) == KEY


def test_keys_are_written_as_openssl_writes_them():
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    theirs = SECRET.public_key().public_bytes(serialization.Encoding.PEM, form)
    assert KEY.to_pem().encode() == theirs


RSA = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK"
NEUTRAL = "MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is a private key"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@here\n", "is an OpenSSH key"),
        (f"-----BEGIN PUBLIC KEY-----\n{RSA}\n-----END PUBLIC KEY-----\n", "not an Ed25519 key"),
        (f"-----BEGIN PUBLIC KEY-----\n{NEUTRAL}\n-----END PUBLIC KEY-----\n", "one owner alone"),
        ("", "not a public key in PEM form"),
        ("hello\n", "not a public key in PEM form"),
    ],
)
def test_what_is_no_public_key_is_told_by_its_kind(tmp_path, text, reason):
    place = tmp_path / "fleet.pub"
    place.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        PublicKey.from_pem(place)


def test_trailing_text_in_a_key_file_is_not_overlooked(tmp_path):
    place = tmp_path / "fleet.pub"
    place.write_text(KEY.to_pem() + OTHER_KEY.to_pem())
    with pytest.raises(ConfigError):
        PublicKey.from_pem(place)
