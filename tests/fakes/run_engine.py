"""Opens a bundle or a plan with a pretended runtime and prints, as JSON, what a user would meet.

run_engine.py '{"source": "model.pvb", "options": {"batch": 8}, "crops": "crops.npy"}'
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fake_gpu
import numpy as np

from personvit.core.errors import PersonvitError
from personvit.engines.base import EngineOptions
from personvit.engines.catalogue import open_engine


def run(request: dict[str, Any]) -> dict[str, Any]:
    options = dict(request.get("options", {}))
    for name, make in {"cache": Path, "buckets": tuple}.items():
        if name in options:
            options[name] = make(options[name])
    crops = np.load(request["crops"])
    runtime = request.get("runtime", "tensorrt")
    with open_engine(request["source"], runtime, EngineOptions(**options)) as engine:
        counts = request.get("counts", [len(crops)])
        with ThreadPoolExecutor(request.get("threads", 1)) as pool:
            found = list(pool.map(lambda count: engine.embed(crops[:count]).tolist(), counts))
        feeds = {spec.name: crops[:2] for spec in engine.inputs}
        outputs = {name: value.tolist() for name, value in engine.run(feeds).items()}
        info = engine.info()
        answer = {
            "found": found,
            "outputs": outputs,
            "sizes": engine.sizes,
            "layers": engine.layer_information,
            "notes": info.notes,
            "info": info.as_json(),
        }
    return {**answer, "held": fake_gpu.held()}


def main() -> None:
    try:
        answer = run(json.loads(sys.argv[1]))
    except PersonvitError as problem:
        kind, code = type(problem).__name__, problem.exit_code
        answer = {"error": str(problem), "kind": kind, "exit_code": code, "held": fake_gpu.held()}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
