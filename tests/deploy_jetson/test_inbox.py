"""What lies in the inbox too long goes, and nothing else does."""

from __future__ import annotations

import os
import time

from personvit.deploy_jetson import inbox

DIGEST = "ab" * 32
LONG_AGO = 30 * 24 * 3600


def test_only_abandoned_pushes_are_swept(tmp_path):
    kept = ["hostname", f"{DIGEST}.txt", "model.pvb", f"{DIGEST[:-2]}.part"]
    gone = [f"{DIGEST}.part", f"{DIGEST}.pvb", f"{DIGEST}.pvb.sig"]
    for name in (*kept, *gone):
        (tmp_path / name).write_text(name)
        then = time.time() - LONG_AGO
        os.utime(tmp_path / name, (then, then))
    fresh = tmp_path / f"{'cd' * 32}.part"
    fresh.write_text("still coming")
    inbox.sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*kept, fresh.name}
