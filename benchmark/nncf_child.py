"""The peer NNCF, in its own interpreter: `PYTHON -I nncf_child.py GRAPH.onnx CROPS.npy OUT.xml`.

It imports nothing of this project: NNCF and what it needs stay out of our environment. The settings
are those its documentation gives for transformers; everything else is left at its defaults.
"""

from __future__ import annotations

import json
import sys

import numpy as np


def main(graph: str, crops: str, out: str) -> None:
    """Quantise a graph with every crop given, write it, and say which versions did it."""
    import nncf  # type: ignore[import-not-found]
    import openvino

    pixels = np.load(crops, mmap_mode="r")
    quantised = nncf.quantize(
        openvino.Core().read_model(graph),
        nncf.Dataset([np.ascontiguousarray(crop[None]) for crop in pixels]),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pixels),
    )
    openvino.save_model(quantised, out, compress_to_fp16=False)
    versions = {"nncf": nncf.__version__, "openvino": openvino.get_version()}
    sys.stdout.write("\n" + json.dumps(versions) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
