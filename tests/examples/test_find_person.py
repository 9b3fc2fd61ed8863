"""The example runs as its first lines say, and finds the query itself first."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from personvit.core.data.synth import SynthOptions, synth
from personvit.train.new_model import NewOptions, new_model


def test_it_finds_the_same_picture_first(tree: Path, tmp_path: Path) -> None:
    people = tmp_path / "people"
    synth(SynthOptions(people, identities=6, cameras=2, height=64, width=32))
    new_model(NewOptions("vit_micro_16", tmp_path / "model.safetensors", "64x32"))
    query = sorted((people / "query").glob("*.jpg"))[0]
    shutil.copy(query, people / "bounding_box_test" / "again.jpg")
    words = [tmp_path / "model.safetensors", query, people / "bounding_box_test"]
    done = subprocess.run(
        [sys.executable, tree / "examples/find_person.py", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    first, *others = done.stdout.splitlines()
    assert first.startswith("1.000")
    assert first.endswith("again.jpg")
    assert len(others) == 4
