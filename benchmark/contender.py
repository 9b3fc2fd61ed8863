"""The child process of a contest: `python -m personvit.benchmark.contender WORK NAME PATH CASE`."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import cast

from .contest import Work, contender_named


def main(work: str, name: str, path: str, case: str) -> None:
    """Say `{}` when the inputs are loaded; then, for each line of stdin, work and say how it went.

    Whatever a peer prints goes to stderr, so that stdout carries answers only.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    prepare = contender_named(name).prepare[cast("Work", work)]
    do = prepare(Path(path) if path else None, Path(case))
    answers.write("{}\n")
    answers.flush()
    for _ in sys.stdin:
        began, worked = time.perf_counter(), time.process_time()
        facts = do()
        answer = {
            "seconds": time.perf_counter() - began,
            "cpu_seconds": time.process_time() - worked,
            "peak_bytes": peak_bytes(),
            "facts": facts,
        }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def peak_bytes() -> int:
    """Of this process alone: getrusage's figure is inherited from the parent through fork."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.is_file() else None
    return int(found[1]) * 1024 if found else 0


if __name__ == "__main__":
    main(*sys.argv[1:])
