"""Ed25519: the RFC's examples, agreement with OpenSSL, and what must not pass though it could."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from personvit.core.ed25519 import is_public_key, verify

ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19

# RFC 8032, section 7.1: TEST 1, 2, 3, and SHA(abc); public key, message, signature.
EXAMPLES = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]

# y of every point of small order, the last two as a lax reader also takes them.
ORDER_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
SMALL_Y = [
    *(0, 1, PRIME - 1),
    int.from_bytes(bytes.fromhex(ORDER_8), "little"),
    PRIME - int.from_bytes(bytes.fromhex(ORDER_8), "little"),
    *(PRIME, PRIME + 1),
]
SMALL_ORDER = [(y | sign << 255).to_bytes(32, "little") for y in SMALL_Y for sign in (0, 1)]

seeds = st.binary(min_size=32, max_size=32)
messages = st.binary(max_size=200)


def openssl_takes(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_rfc(example):
    public, message, signature = map(bytes.fromhex, example)
    assert verify(public, message, signature)
    assert not verify(public, message + b"!", signature)


@given(seeds, messages)
def test_what_openssl_signs_is_taken(seed, message):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes_raw()
    assert is_public_key(public)
    assert verify(public, message, key.sign(message))


@settings(max_examples=300)
@given(seeds, messages, st.integers(0, 8 * 96 - 1))
def test_a_flipped_bit_anywhere_is_judged_as_openssl_does(seed, message, bit):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    both = bytearray(key.public_key().public_bytes_raw() + key.sign(message))
    both[bit // 8] ^= 1 << bit % 8
    public, signature = bytes(both[:32]), bytes(both[32:])
    assert not verify(public, message, signature)
    assert not openssl_takes(public, message, signature)


@settings(max_examples=200)
@given(st.binary(min_size=32, max_size=32), messages, st.binary(min_size=64, max_size=64))
def test_random_bytes_never_pass_and_never_raise(public, message, signature):
    assert not verify(public, message, signature)


@given(seeds, messages)
def test_a_signature_has_one_spelling(seed, message):
    """s + order satisfies the same equation; RFC 8032 demands that it is refused."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    other = int.from_bytes(signature[32:], "little") + ORDER
    assert not verify(public, message, signature[:32] + other.to_bytes(32, "little"))


@pytest.mark.parametrize("public", SMALL_ORDER, ids=bytes.hex)
def test_nobody_signs_for_a_point_of_small_order(public):
    """With s = 0 and R of small order, one message in eight or fewer would pass for such a key."""
    assert not is_public_key(public)
    neutral = (1).to_bytes(32, "little")
    for number in range(32):
        for r in (neutral, public):
            assert not verify(public, b"message %d" % number, r + bytes(32))


def test_the_list_above_is_a_danger_to_a_lax_reader():
    neutral = (1).to_bytes(32, "little")
    assert openssl_takes(neutral, b"anything", neutral + bytes(32))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_keys_and_signatures_of_another_length_are_refused(length):
    public, message, signature = map(bytes.fromhex, EXAMPLES[0])
    assert not verify((public * 3)[:length], message, signature)
    assert not verify(public, message, (signature * 2)[: length if length != 64 else 65])


def test_a_key_spelled_with_y_above_the_prime_is_no_key():
    for excess in range(19):
        assert not is_public_key((PRIME + excess).to_bytes(32, "little"))
        assert not is_public_key((PRIME + excess | 1 << 255).to_bytes(32, "little"))
