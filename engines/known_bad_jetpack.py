"""Rows that concern a release of JetPack: what it pins, what it lacks, how much memory it has."""

from __future__ import annotations

from .known_bad_general import ONNXSIM
from .known_bad_row import Row
from .known_bad_versions import DOCS, TENSORRT

ROWS: tuple[Row, ...] = (
    Row(
        id="jp6-tensorrt-pinned",
        title="JetPack 6 stays on its own TensorRT: 8.6 with 6.0, and 10.3 from 6.1 on.",
        product="jetpack",
        first=(6, 0),
        until=(7, 0),
        seen="TensorRT depends on the driver and the CUDA of its JetPack; 11 needs JetPack 7.2.2.",
        sources=(
            DOCS + "11.4.1/api/migration/tensorrt-10x-to-11x-jetson.html",
            "https://github.com/dusty-nv/jetson-containers/issues/193",
            TENSORRT + "4494",
        ),
        date="2026-11-20",
        workaround="none",
        mend="Export with --target trt10.3; to leave 10.3 behind, flash JetPack 7.2.",
    ),
    Row(
        id="jp6-python-3.10",
        title="JetPack 6's TensorRT can be imported by Python 3.10 only.",
        product="jetpack",
        first=(6, 0),
        until=(7, 0),
        seen="In an environment of another Python there is no module named tensorrt.",
        sources=(ONNXSIM,),
        date="2026-09-23",
        workaround="none",
        mend="python3.10 -m venv --system-site-packages",
    ),
    Row(
        id="jp6-dla-compiler",
        title="TensorRT of JetPack 6 cannot be imported without the compiler for DLA.",
        product="jetpack",
        first=(6, 0),
        until=(7, 0),
        seen="ImportError: libnvdla_compiler.so; some carriers' images and containers lack it.",
        sources=(
            "https://github.com/4paradigm/phanthymotus/pull/154",
            "https://github.com/dusty-nv/jetson-inference/issues/1920",
        ),
        date="2026-09-01",
        workaround="none",
        mend="sudo apt install nvidia-l4t-dla-compiler",
    ),
    Row(
        id="jp6-onnxruntime-gpu",
        title="onnxruntime-gpu from the package index runs on JetPack 6's CPU without saying so.",
        product="jetpack",
        first=(6, 0),
        until=(7, 0),
        seen="It lists CUDAExecutionProvider, cannot load CUDA 13, and falls back.",
        sources=(ONNXSIM, "https://github.com/roboflow/inference/pull/2306"),
        date="2026-09-23",
        workaround="none",
        mend="The engine onnxruntime asks for the CPU by name; use TensorRT for the GPU.",
    ),
    Row(
        id="jp7.2-old-containers",
        title="Containers with an older TensorRT cannot import it on JetPack 7.2.",
        product="jetpack",
        first=(7, 2),
        until=None,
        seen="ImportError: libnvdla_compiler.so, which JetPack 7.2 no longer ships.",
        sources=(
            "https://github.com/Jonah-May-OSS/wyoming-whisper-trt/issues/1038",
            "https://github.com/blakeblackshear/frigate/pull/23582",
        ),
        date="2026-08-21",
        workaround="none",
        mend="Use a container with TensorRT 10.16 or later, or the one of the host.",
    ),
    Row(
        id="small-memory-builds",
        title="Building an engine can run out of memory on a board with 8 GB.",
        product="jetpack",
        first=(5, 0),
        until=None,
        below_gib=10,
        seen="NvMapMemAllocInternalTagged error 12, or killed; the builder also wants contiguous "
        "memory, of which an Orin Nano keeps 256 MB.",
        sources=(
            ONNXSIM,
            TENSORRT + "4258",
            "https://github.com/NVIDIA-ISAAC-ROS/isaac_ros_common/issues/223",
        ),
        date="2026-09-23",
        workaround="none",
        mend="Engines are built one at a time with a capped workspace; stop the desktop (sudo "
        "systemctl isolate multi-user.target), and build again after a reboot if it still fails.",
    ),
)
