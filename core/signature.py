"""Signatures of bundles (`BUNDLE.sig`): who vouches for which bytes, and when."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from . import ed25519, strict_json
from .errors import BundleError, ConfigError

SCHEMA = 1
SUFFIX = ".sig"
MAX_BYTES = 4096
"""More than any signature or key file has."""
MAX_SERIAL = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly."""
MAX_NAME = 200

_DOMAIN = b"personvit-bundle-signature-v1\n"
# SubjectPublicKeyInfo of Ed25519 (RFC 8410): everything but the key itself is always the same.
_INFO = bytes.fromhex("302a300506032b6570032100")
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----\s([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"key-[0-9a-f]{32}")


@dataclass(frozen=True)
class PublicKey:
    """Thirty-two bytes whose owner may vouch for bundles."""

    raw: bytes

    def __post_init__(self) -> None:
        if not ed25519.is_public_key(self.raw):
            raise ConfigError("these bytes are no Ed25519 key that one owner alone can sign for")

    @classmethod
    def from_pem(cls, path: Path) -> PublicKey:
        """The key of a PEM file as `personvit-deploy keygen` and `openssl pkey -pubout` write."""
        text = _read_small(path, "a public key")
        found = _PEM.fullmatch(text)
        data = _from_base64("".join(found[1].decode().split())) if found else None
        if data is None or not data.startswith(_INFO):
            raise ConfigError(f"{path}: {_what_instead(text)}")
        try:
            return cls(data[len(_INFO) :])
        except ConfigError as problem:
            raise ConfigError(f"{path}: {problem}; make another key") from problem

    def to_pem(self) -> str:
        text = base64.b64encode(_INFO + self.raw).decode()
        return f"-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n"

    @property
    def id(self) -> str:
        return f"key-{hashlib.sha256(self.raw).hexdigest()[:32]}"


@dataclass(frozen=True)
class Signature:
    """The contents of a signature file; `check_signature` alone says whether it holds."""

    digest: str
    """The bundle's sha256."""
    name: str
    """The model's name in the bundle's manifest."""
    serial: int
    """Must not fall from one bundle of this name to the next."""
    key_id: str
    signature: str = ""
    """Sixty-four bytes as base64."""
    schema: int = SCHEMA

    def to_sign(self) -> bytes:
        """The signed bytes: a line that nothing else begins with, and all fields but the last."""
        return _DOMAIN + strict_json.dump(dataclasses.replace(self, signature=""))

    def signed(self, raw: bytes) -> Signature:
        return dataclasses.replace(self, signature=base64.b64encode(raw).decode())

    def is_by(self, key: PublicKey) -> bool:
        raw = _from_base64(self.signature) or b""
        return self.key_id == key.id and ed25519.verify(key.raw, self.to_sign(), raw)

    def to_bytes(self) -> bytes:
        return strict_json.dump(self)


def signature_beside(bundle: Path) -> Path:
    return bundle.with_name(bundle.name + SUFFIX)


def read_signature(path: Path) -> Signature:
    """Parse a signature file; the only accepted spelling is the one that `to_bytes` gives."""
    data = _read_small(path, "a signature")
    try:
        document = strict_json.parse(data)
        _refuse_newer(path, document)
        signature = strict_json.build(Signature, document)
    except strict_json.DocumentError as problem:
        raise BundleError(f"{path}: {problem}; {_MEND}") from problem
    if reason := _contradiction(signature):
        raise BundleError(f"{path}: {reason}; {_MEND}")
    if signature.to_bytes() != data:
        raise BundleError(f"{path}: it was edited or written by another tool; {_MEND}")
    return signature


def check_signature(path: Path, key: PublicKey, digest: str) -> Signature:
    """The signature in `path`, if it is this key's and over the bundle with this digest."""
    signature = read_signature(path)
    if signature.digest != digest:
        raise BundleError(
            f"{path} signs another bundle (sha256 {signature.digest[:12]}..., this one has "
            f"{digest[:12]}...); bring the signature that was made for this bundle"
        )
    if signature.key_id != key.id:
        raise BundleError(f"{path} was made with {signature.key_id}, not with {key.id}")
    if not signature.is_by(key):
        raise BundleError(
            f"{path} is forged or damaged: {key.id} did not sign what it says; do not use this "
            "bundle before its maker has signed it again"
        )
    return signature


def _contradiction(signature: Signature) -> str | None:
    if signature.schema != SCHEMA:
        return f"schema must be {SCHEMA}, not {signature.schema}"
    if not _DIGEST.fullmatch(signature.digest):
        return "digest must be a sha256 in 64 hexadecimal digits"
    if not signature.name.isprintable() or not 0 < len(signature.name) <= MAX_NAME:
        return f"name must be 1 to {MAX_NAME} printable characters"
    if not 0 < signature.serial <= MAX_SERIAL:
        return f"serial must be from 1 to {MAX_SERIAL}, not {signature.serial}"
    if not _KEY_ID.fullmatch(signature.key_id):
        return "key_id must be 'key-' and 32 hexadecimal digits"
    if len(_from_base64(signature.signature) or b"") != ed25519.SIGNATURE_BYTES:
        return f"signature must be {ed25519.SIGNATURE_BYTES} bytes as base64"
    return None


def _refuse_newer(path: Path, document: object) -> None:
    found = document.get("schema") if isinstance(document, dict) else None
    if type(found) is int and found > SCHEMA:
        raise BundleError(
            f"{path}: the signature has schema {found}, and this version reads up to {SCHEMA}; "
            "upgrade personvit, or sign the bundle again with this version"
        )


def _read_small(path: Path, what: str) -> bytes:
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "missing"
        raise BundleError(f"{path}: {what} was expected here, but this is {kind}")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise BundleError(f"{path}: this is too long for {what}; check the path")
    return data


def _from_base64(text: str) -> bytes | None:
    """The bytes, if this is the one spelling that base64 has for them."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


def _what_instead(text: bytes) -> str:
    if b"PRIVATE KEY-----" in text:
        return "this is a private key, which never leaves its owner; give the '.pub' beside it"
    if text.startswith((b"ssh-", b"ecdsa-")):
        return "this is an OpenSSH key; make one for bundles with 'personvit-deploy keygen NAME'"
    if b"-----BEGIN PUBLIC KEY-----" in text:
        return "this is not an Ed25519 key; make one with 'personvit-deploy keygen NAME'"
    return "this is not a public key in PEM form; make one with 'personvit-deploy keygen NAME'"


_MEND = "sign the bundle again, or copy the signature again from its source"
