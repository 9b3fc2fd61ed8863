"""Writes the bundle of 7 KB that unit tests and fuzzers of the native runtime begin with, and its
signature: `python tests/deploy_jetson/runtime/tiny_bundle.py`. Its graph is no graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from personvit.core.bundle import verify, write_bundle
from personvit.core.golden import array_bytes
from personvit.core.manifest import Bounds, Manifest, Model, Space, TensorSpec, Variant
from personvit.core.preprocess import Preprocess
from personvit.core.signature import PublicKey, Signature

DATA = Path(__file__).parents[3] / "deploy_jetson/runtime/tests/data"
SECRET = Ed25519PrivateKey.from_private_bytes(bytes(32))  # no secret at all: of a test
HEIGHT, WIDTH, DIMENSION = 8, 4, 4
THRESHOLDS = b'{\n "candidate": [\n  {\n   "far": 0.001,\n   "threshold": 0.5\n  }\n ]\n}\n'


def write(path: Path, name: str = "tiny") -> Path:
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (16, HEIGHT, WIDTH, 3), dtype=np.uint8)
    embeddings = rng.normal(size=(16, DIMENSION)).astype(np.float32)
    variant = Variant(
        "cpu",
        "cpu",
        "int8",
        "int8",
        20,
        (TensorSpec("images", "uint8", ("batch", HEIGHT, WIDTH, 3), "crops"),),
        (TensorSpec("embedding", "float32", ("batch", DIMENSION), "embedding"),),
        Bounds(0.99, 0.01),
    )
    manifest = Manifest(
        tool="0.1.0",
        name=name,
        model=Model("tiny", {"height_px": HEIGHT, "width_px": WIDTH}),
        preprocess=Preprocess(height=HEIGHT, width=WIDTH),
        space=Space("ab" * 32, "before", DIMENSION),
        variants=(variant,),
    )
    members = {
        "golden/crops.npy": array_bytes(crops),
        variant.golden: array_bytes(embeddings),
        variant.member: b"no graph",
        "thresholds.json": THRESHOLDS,
    }
    write_bundle(path, manifest, members)
    return path


def sign(bundle: Path, serial: int = 7) -> PublicKey:
    """Leaves BUNDLE.sig beside the bundle."""
    key = PublicKey(SECRET.public_key().public_bytes_raw())
    found = verify(bundle)
    statement = Signature(found.digest, found.manifest.name, serial, key.id)
    signed = statement.signed(SECRET.sign(statement.to_sign()))
    bundle.with_name(bundle.name + ".sig").write_bytes(signed.to_bytes())
    return key


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    (DATA / "tiny.pub").write_text(sign(write(DATA / "tiny.pvb")).to_pem())
