"""Writes the fuzzer's image seeds: `python tests/deploy_jetson/runtime/image_seeds.py`.

One small file of every kind. What the fuzzer found broken lies beside them under its own name and
stays.
"""

from __future__ import annotations

from pathlib import Path

import image_files

SEEDS = Path(__file__).parents[3] / "deploy_jetson/runtime/fuzz/image_seeds"
SIZE = (9, 6)
MOST_BYTES = 700


def seeds() -> dict[str, bytes]:
    image_files.SIZES = (SIZE,)
    files: dict[str, bytes] = {}
    for suffix, made in (("jpg", image_files.jpegs()), ("png", image_files.pngs())):
        for name, data in made:
            plain = "".join(c if c.isalnum() else "-" for c in name).strip("-")
            if len(data) <= MOST_BYTES:
                files[f"{plain}.{suffix}"] = data
    small = image_files.picture(*SIZE)
    for mode in ("RGB", "L", "CMYK"):
        for progressive in (False, True):
            data = image_files.saved(small, "JPEG", mode, progressive=progressive, optimize=True)
            files[f"{mode}-{'progressive' if progressive else 'baseline'}.jpg"] = data
    return files


def main() -> None:
    SEEDS.mkdir(parents=True, exist_ok=True)
    for name, data in seeds().items():
        (SEEDS / name).write_bytes(data)


if __name__ == "__main__":
    main()
