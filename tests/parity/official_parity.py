"""Compares our embeddings with those of the official code, run from its own checkouts.

    make parity PEERS=/path/to/checkouts      (PersonViT, PASS-reID and TransReID-SSL inside)

Every case: random weights in the official model, its file imported, the same pixels through both;
then our export is loaded strictly by the official class and must give its features bit for bit.
This is a program and not a pytest module, so it can never be skipped in silence.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import normalize

from personvit.core.models.upstream import to_upstream
from personvit.core.models.weights import ReadOptions, load_weights

TOLERANCE = 1e-5
PERSONVIT = "PersonViT/transreid_pytorch"
PASS = "PASS-reID/PASS_transreid"  # noqa: S105
PASS_USL = "PASS-reID/PASS_cluster_contrast_reid"  # noqa: S105
SSL, SSL_USL = "TransReID-SSL/transreid_pytorch", "TransReID-SSL/cluster-contrast-reid"
BASE: dict[str, Any] = {"seed": 0, "size": [256, 128], "arch": "small", "kind": "supervised"}

CASES: dict[str, dict[str, Any]] = {
    "PersonViT ViT-S 256x128": {"peer": PERSONVIT},
    "PersonViT ViT-T 256x128": {"peer": PERSONVIT, "arch": "tiny"},
    "PersonViT ViT-B 256x128": {"peer": PERSONVIT, "arch": "base"},
    "PersonViT ViT-S 384x128": {"peer": PERSONVIT, "size": [384, 128]},
    "PersonViT ViT-S with cameras": {"peer": PERSONVIT, "cameras": 6},
    "TransReID-SSL ViT-S": {"peer": SSL},
    "TransReID-SSL ViT-S with ICS": {"peer": SSL, "ics": True},
    "PASS ViT-S cat, four necks": {"peer": PASS},
    "PASS ViT-B cat, four necks": {"peer": PASS, "arch": "base"},
    "PASS ViT-S mean, four necks": {"peer": PASS, "fusion": "mean"},
    "PASS ViT-S cat, one neck": {"peer": PASS, "multi": False},
    "PASS ViT-S mean, one neck": {"peer": PASS, "multi": False, "fusion": "mean"},
    "PASS ViT-S 384x128": {"peer": PASS, "size": [384, 128]},
    "PASS USL cat, four necks": {
        "peer": PASS_USL, "kind": "unsupervised", "multi": True, "fusion": "cat",
    },
    "PASS USL mean, four necks": {
        "peer": PASS_USL, "kind": "unsupervised", "multi": True, "fusion": "mean",
    },
    "PASS USL cat, one neck": {
        "peer": PASS_USL, "kind": "unsupervised", "multi": False, "fusion": "cat",
    },
    "PASS USL mean, one neck": {
        "peer": PASS_USL, "kind": "unsupervised", "multi": False, "fusion": "mean",
    },
    "TransReID-SSL USL": {"peer": SSL_USL, "kind": "unsupervised"},
    "TransReID-SSL USL with ICS": {"peer": SSL_USL, "kind": "unsupervised", "ics": True},
    "PersonViT from 224x224 positions": {
        "peer": PERSONVIT, "kind": "pretrained", "source_size": [224, 224], "ratio": 1,
    },
    "PersonViT 384x128 from 256x128 positions": {
        "peer": PERSONVIT, "kind": "pretrained", "size": [384, 128],
        "source_size": [256, 128], "ratio": 2,
    },
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", nargs="?", default=os.environ.get("PEERS"), type=Path)
    peers = parser.parse_args().peers
    if peers is None or not (peers / PERSONVIT).is_dir():
        parser.error("name the folder of the checkouts: make parity PEERS=/path/to/checkouts")
    worst = 0.0
    sys.stdout.write(f"{'case':42} {'embedding':>10} {'feature':>10}  strict reload\n")
    for name, settings in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            embedding, feature, reload = compare(peers, BASE | settings, Path(folder))
        worst = max(worst, embedding)
        sys.stdout.write(f"{name:42} {embedding:10.2e} {feature:10.2e}  {reload}\n")
        sys.stdout.flush()
        if reload == "differs":
            worst = float("inf")
    agreed = worst <= TOLERANCE
    sys.stdout.write(
        f"worst {worst:.2e}, allowed {TOLERANCE:.0e}: {'pass' if agreed else 'FAIL'}\n"
    )
    return 0 if agreed else 1


def compare(peers: Path, case: dict[str, Any], folder: Path) -> tuple[float, float, str]:
    """The largest difference of unit-length embeddings and of raw features (relative)."""
    run_peer(peers, case, folder)
    fusion = case.get("fusion") if case["kind"] == "unsupervised" and "multi" in case else None
    size = (case["size"][0], case["size"][1]) if case["kind"] == "pretrained" else None
    loaded = load_weights(folder / "state.pth", ReadOptions(size=size, fusion=fusion))
    official = torch.load(folder / "features.pth", weights_only=True)
    cameras = official["cameras"] if case.get("cameras") else None
    with torch.no_grad():
        ours = loaded.model(official["pixels"], cameras)._asdict()
    embedding = feature = 0.0
    for side in ("before", "after"):
        if side in official:
            theirs, mine = official[side], ours[side]
            if case["kind"] == "unsupervised":
                mine = unsupervised_output(mine, case)
            apart = normalize(theirs, dim=1) - normalize(mine, dim=1)
            embedding = max(embedding, float(apart.abs().max()))
            feature = max(feature, float((theirs - mine).abs().max() / theirs.abs().max()))
    if case["kind"] != "supervised":
        return embedding, feature, "not asked"
    torch.save(to_upstream(loaded.model), folder / "exported.pth")
    run_peer(peers, case, folder)
    again = torch.load(folder / "again.pth", weights_only=True)
    same = all(torch.equal(again[side], official[side]) for side in again)
    return embedding, feature, "equal" if same else "differs"


def unsupervised_output(mine: torch.Tensor, case: dict[str, Any]) -> torch.Tensor:
    """That code ends with unit length itself, except after joining four necks."""
    return mine if case.get("multi") else normalize(mine, dim=1)


def run_peer(peers: Path, case: dict[str, Any], folder: Path) -> None:
    program = Path(__file__).with_name("peer_model.py")
    done = subprocess.run(
        [sys.executable, str(program), str(peers / case["peer"]), json.dumps(case), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if done.returncode:
        raise SystemExit(f"{case['peer']} failed:\n{done.stderr[-3000:]}")


if __name__ == "__main__":
    sys.exit(main())
