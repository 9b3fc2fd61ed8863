"""Compare an engine's answer to the golden crops, as trtexec exports it, with the right answer.

    python3 check_engine.py answer.json

It is copied beside DeepStream's files and needs nothing but Python there.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(words: Sequence[str], place: Path) -> int:
    if len(words) != 1:
        return _end(1, "give the file that trtexec wrote: python3 check_engine.py answer.json")
    golden = json.loads((place / "golden.json").read_text())
    try:
        found = rows_of(json.loads(_as_json(Path(words[0]).read_text())), golden)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as problem:
        return _end(1, f"{words[0]} is not what trtexec --exportOutput writes ({problem!r})")
    return _end(*verdict(found, golden))


def _as_json(text: str) -> str:
    """C++ writes nan and inf where JSON has no word for them."""
    return re.sub(r"\binf\b", "Infinity", re.sub(r"-?\bnan\b", "NaN", text))


def rows_of(exported: list[dict[str, Any]], golden: dict[str, Any]) -> list[list[float]]:
    values = next(each["values"] for each in exported if each["name"] == golden["output"])
    width = len(golden["embeddings"][0])
    return [values[start : start + width] for start in range(0, len(values), width)]


def verdict(found: list[list[float]], golden: dict[str, Any]) -> tuple[int, str]:
    """0 where every crop's direction and length lie within the bundle's bounds, else 3."""
    wanted = golden["embeddings"][: len(found)]
    width = len(golden["embeddings"][0])
    if not found or len(found) != len(wanted) or any(len(row) != width for row in found):
        return 3, f"the engine gave {len(found)} rows; rows of {width} values were expected"
    worst = min(_cosine(*both) for both in zip(found, wanted, strict=True))
    away = max(abs(_length(a) / _length(b) - 1) for a, b in zip(found, wanted, strict=True))
    facts = f"{len(found)} crops: smallest cosine {worst:.5f}, lengths within {away:.2%}"
    if worst >= golden["cosine_min"] and away <= golden["norm_tolerance"]:
        return 0, f"the engine answers as the bundle says ({facts})"
    return 3, (
        f"REFUSED: this engine does not compute what was proven ({facts}; the bounds are "
        f"{golden['cosine_min']:.5f} and {golden['norm_tolerance']:.2%}); delete it, and build it "
        "in other types or shapes: 'personvit-engine doctor' knows this TensorRT's faults"
    )


def _cosine(first: Sequence[float], second: Sequence[float]) -> float:
    lengths = _length(first) * _length(second)
    product = sum(a * b for a, b in zip(first, second, strict=True)) / (lengths or math.inf)
    return product if math.isfinite(product) else -1.0


def _length(row: Sequence[float]) -> float:
    length = math.sqrt(sum(value * value for value in row))
    return length if math.isfinite(length) else math.inf


def _end(code: int, sentence: str) -> int:
    (sys.stderr if code else sys.stdout).write(sentence + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path(__file__).resolve().parent))
