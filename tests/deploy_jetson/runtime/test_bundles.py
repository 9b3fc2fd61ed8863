"""Bundles and signatures get the same verdict from the native runtime as from Python, in the same
words."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from personvit.core import canonical_zip
from personvit.core.bundle import Bundle, verify
from personvit.core.errors import PersonvitError
from personvit.core.signature import PublicKey, check_signature

MUTATIONS = 400
# Where a parser tells what it met, and where a file ends within its last record.
OWN_WORDS = re.compile("is not JSON|the file is cut off|bytes too many")

# Python also shows what it found there, as Python spells it.
PLACE = re.compile(r"manifest\.json: ([\w.\[\]]+)")


@dataclass(frozen=True)
class Native:
    program: Path

    def verdicts(self, lines: list[str]) -> list[str]:
        text = "".join(f"{line}\n" for line in lines).encode()
        done = subprocess.run([self.program], input=text, capture_output=True)
        assert done.returncode == 0, done.stderr
        found = done.stdout.decode().splitlines()
        assert len(found) == len(lines)
        return found

    def verdict(self, *parts: object) -> str:
        return self.verdicts(["\t".join(map(str, parts))])[0]


@pytest.fixture(scope="module")
def native(native_program: Callable[[str], Path]) -> Native:
    return Native(native_program("bundle_dump"))


@pytest.fixture(scope="module")
def tiny_bundle(shared) -> ModuleType:
    return shared("deploy_jetson/runtime/tiny_bundle.py")


@pytest.fixture
def tiny(tiny_bundle: ModuleType, tmp_path: Path) -> Path:
    return tiny_bundle.write(tmp_path / "tiny.pvb")


def verdict_of_python(path: Path) -> str:
    try:
        found = verify(path)
        Bundle.open(path).golden()
    except PersonvitError as error:
        return str(error)
    return f"ok {found.digest} {found.manifest.name}"


def mutated(data: bytes, rng: random.Random) -> bytes:
    changed, kind = bytearray(data), rng.random()
    if kind < 0.5:
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    elif kind < 0.65:
        del changed[rng.randrange(len(changed)) :]
    elif kind < 0.75:
        changed += bytes(rng.randrange(1, 50))
    elif kind < 0.9:
        changed[-rng.randrange(1, min(3000, len(changed)))] ^= 1 << rng.randrange(8)
    else:
        place = rng.randrange(len(changed))
        del changed[place : place + rng.randrange(1, 20)]
    return bytes(changed)


def assert_same(expected: list[str], found: list[str]) -> None:
    for python, native in zip(expected, found, strict=True):
        if not (OWN_WORDS.search(python) and OWN_WORDS.search(native)):
            assert native == python


def test_a_whole_bundle_is_whole_to_both(native, tiny, small_bundle, tmp_path):
    large = small_bundle.write(tmp_path / "small.pvb", "fp32", "int8")
    for path in (tiny, large):
        assert native.verdict(path) == verdict_of_python(path)
        assert native.verdict(path).startswith("ok ")


def test_mutated_bundles_get_the_same_sentence(native, tiny, tmp_path):
    rng = random.Random(0)  # noqa: S311
    data = tiny.read_bytes()
    paths = []
    for nth in range(MUTATIONS):
        paths.append(tmp_path / f"{nth}.pvb")
        paths[-1].write_bytes(mutated(data, rng))
    expected = [verdict_of_python(path) for path in paths]
    assert len(set(expected)) > 30
    assert_same(expected, native.verdicts([str(path) for path in paths]))


def forged(tiny: Path, change: Callable[[dict], None]) -> str:
    """A forger who knows the format: another manifest, in a bundle as canonical as before."""
    bundle = Bundle.open(tiny)
    members: dict[str, bytes] = {name: bundle.read(name) for name in bundle.entries}
    document = json.loads(members["manifest.json"])
    change(document)
    members["manifest.json"] = (json.dumps(document, sort_keys=True, indent=1) + "\n").encode()
    canonical_zip.write(tiny, members)
    return str(tiny)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(schema=2),
        lambda document: document.update(schema=0),
        lambda document: document.update(more=1),
        lambda document: document.pop("space"),
        lambda document: document.update(name=""),
        lambda document: document.update(name="a\u202eb"),
        lambda document: document.update(variants=[]),
        lambda document: document["variants"].append(document["variants"][0]),
        lambda document: document["variants"][0].update(kind="tpu"),
        lambda document: document["variants"][0].update(encoder_id="encoder-0"),
        lambda document: document["variants"][0]["bounds"].update(cosine_min=1.5),
        lambda document: document["space"].update(dimension=5),
        lambda document: document["space"].update(id="space-0"),
        lambda document: document["preprocess"].update(filter="magic"),
        lambda document: document["preprocess"].update(height=0),
        lambda document: document["members"].pop(),
        lambda document: document["members"][0].update(size=1),
        lambda document: document["members"][0].update(sha256="0" * 64),
        lambda document: document["members"].reverse(),
    ],
)
def test_forged_manifests_are_refused_for_the_same_field(native, tiny, change):
    path = forged(tiny, change)
    expected, found = verdict_of_python(tiny), native.verdict(path)
    assert not expected.startswith("ok ")
    assert found.startswith(f"{path}: ")
    places = PLACE.search(expected), PLACE.search(found)
    if all(places):
        one, other = (place[1] for place in places)
        assert one.startswith(other) or other.startswith(one)
    else:
        assert found == expected


def test_what_is_no_file_gets_the_same_sentence(native, tmp_path):
    for path in (tmp_path, tmp_path / "none.pvb"):
        assert native.verdict(path) == verdict_of_python(path)


def test_signatures_get_the_same_sentence(native, tiny_bundle, tiny, tmp_path):
    key = tmp_path / "key.pub"
    key.write_text(tiny_bundle.sign(tiny, serial=7).to_pem())
    assert native.verdict(tiny, key, 7).startswith("ok ")
    assert "serial 7, older than 8" in native.verdict(tiny, key, 8)
    signature, digest = tiny.with_name("tiny.pvb.sig"), verify(tiny).digest
    text, pinned = signature.read_bytes(), PublicKey.from_pem(key)
    rng = random.Random(1)  # noqa: S311
    for _ in range(100):
        signature.write_bytes(mutated(text, rng))
        with pytest.raises(PersonvitError) as refusal:
            check_signature(signature, pinned, digest)
        if "was made with" in str(refusal.value):
            assert "was made with" in native.verdict(tiny, key)
        else:
            assert_same([str(refusal.value)], [native.verdict(tiny, key)])


def test_a_key_that_is_none_is_refused_in_the_same_words(native, tiny_bundle, tiny, tmp_path):
    tiny_bundle.sign(tiny)
    for text in ("", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        key = tmp_path / "key.pub"
        key.write_text(text)
        with pytest.raises(PersonvitError):
            PublicKey.from_pem(key)
        assert "not an Ed25519 public key" in native.verdict(tiny, key)


def test_a_command_signs_what_the_native_runtime_trusts(native, tiny, tmp_path):
    deploy = [sys.executable, "-c", "from personvit.deploy_jetson.cli import main; main()"]
    fleet = str(tmp_path / "fleet")
    for said in (("keygen", fleet), ("sign", str(tiny), "--key", fleet, "--serial", "3")):
        subprocess.run([*deploy, *said], check=True, capture_output=True)
    assert native.verdict(tiny, f"{fleet}.pub", 3).startswith("ok ")
