"""The DeepStream releases that files are written for, and where each fact about them was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

REPOSITORY = "https://github.com/NVIDIA/DeepStream"
SOURCES: Mapping[str, str] = {
    "nvinfer": f"{REPOSITORY}/blob/v9.1.0/src/gst-plugins/gst-nvinfer/gstnvinfer.cpp",
    "nvinfer keys": (
        f"{REPOSITORY}/blob/v9.1.0/src/gst-plugins/gst-nvinfer/gstnvinfer_property_parser.cpp"
    ),
    "nvinfer engines": (
        f"{REPOSITORY}/blob/v9.1.0/src/utils/nvdsinfer/nvdsinfer_model_builder.cpp"
    ),
    "network modes": f"{REPOSITORY}/blob/v9.1.0/includes/nvdsinfer_context.h",
    "scaling": f"{REPOSITORY}/blob/v9.1.0/includes/nvbufsurftransform.h",
    "colours": f"{REPOSITORY}/blob/v9.1.0/includes/nvbufsurface.h",
    "tracker frames": f"{REPOSITORY}/blob/v9.1.0/src/gst-plugins/gst-nvtracker/convbufmanager.cpp",
    "tracker keys": (
        f"{REPOSITORY}/blob/v9.1.0/skills/deepstream-dev/references/tracker_config.md"
    ),
    "tracker manual": "https://docs.nvidia.com/deepstream/text/DS_plugin_gst-nvtracker.md",
    "tracker int8": (
        "https://docs.nvidia.com/metropolis/deepstream/dev-guide/sdk-api/"
        "classTrackerInt8EntropyCalibrator.html"
    ),
    "crop scaler": "https://docs.nvidia.com/vpi/algo_crop_scaler.html",
    "npp": (
        "https://forums.developer.nvidia.com/t/what-does-nppiresize-8u-c1r-do-when-shrinking/24302"
    ),
    "q/dq needs int8": "https://github.com/NVIDIA/TensorRT/issues/4021",
}


@dataclass(frozen=True)
class DeepStreamVersion:
    """`strongly_typed`: nvinfer can build a graph in the types it is written in."""

    name: str
    platforms: str
    tensorrt: str
    strongly_typed: bool


VERSIONS: Mapping[str, DeepStreamVersion] = {
    version.name: version
    for version in (
        DeepStreamVersion("7.1", "JetPack 6.1 and 6.2, x86", "10.3", False),
        DeepStreamVersion("9.0", "JetPack 7.1 (Thor), x86", "10.13 or 10.14", True),
        DeepStreamVersion("9.1", "JetPack 7.2 (Orin, Thor), x86", "10.16", True),
    )
}
"""`strongly-typed` is in the sources from tag v9.0.0 on; 7.1's manual does not name it."""
