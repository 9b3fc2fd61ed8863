"""What this device is: module, releases, versions, memory and power mode, each read or unknown."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from . import device_files as files
from .device_gpu import Gpu, find_gpu, jetson_capability
from .device_modules import module_version
from .device_power import power_mode
from .version_numbers import plain, version_of

Kind = Literal["jetson", "gpu", "cpu"]

ROOT = "PERSONVIT_SYSTEM_ROOT"
"""The folder whose etc/, proc/, var/ and usr/ describe the device; a test's box names its own."""

JETPACKS: Mapping[str, str] = {
    "36.2": "6.0",
    "36.3": "6.0",
    "36.4.0": "6.1",
    "36.4.2": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.4.7": "6.2.1",
    "36.5.0": "6.2.2",
    "36.5.2": "6.2.3",
    "38.2": "7.0",
    "38.4": "7.1",
    "39.1": "7.2",
    "39.2.0": "7.2",
    "39.2.1": "7.2.1",
    "39.2.2": "7.2.2",
}
"""The release of JetPack by that of its Linux (L4T): docs/doctor.md says from where."""


@dataclass(frozen=True)
class DeviceFacts:
    """None is what could not be read; memory and swap are in bytes, and 0 where unknown."""

    kind: Kind = "cpu"
    module: str | None = None
    arch: str = ""
    l4t: str | None = None
    jetpack: str | None = None
    tensorrt: str | None = None
    """What an engine would be built with: the Python package's, else the system library's."""
    tensorrt_library: str | None = None
    tensorrt_python: str | None = None
    tensorrt_rtx: str | None = None
    cuda: str | None = None
    driver: str | None = None
    gpu: str | None = None
    capability: tuple[int, int] | None = None
    memory: int = 0
    swap: int = 0
    cma: int | None = None
    """Memory kept for physically contiguous buffers, of which a Jetson's GPU needs some."""
    power_mode: str | None = None
    python: str = ""

    @property
    def sm(self) -> str:
        return "{}.{}".format(*self.capability) if self.capability else "unknown"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        return "\n".join([self._name(), *("  " + line for line in (self._stack(), self._size()))])

    def _name(self) -> str:
        return self.module or self.gpu or "A machine without an NVIDIA device"

    def _stack(self) -> str:
        known = {
            "JetPack": self.jetpack,
            "L4T": self.l4t,
            "TensorRT": self.tensorrt,
            "TensorRT-RTX": self.tensorrt_rtx,
            "CUDA": self.cuda,
            "driver": self.driver,
            "SM": self.sm if self.capability else None,
            "Python": self.python,
        }
        return ", ".join(f"{name} {value}" for name, value in known.items() if value)

    def _size(self) -> str:
        parts = [self.arch, f"{self.memory / 2**30:.1f} GiB of memory"]
        parts += [f"{self.swap / 2**30:.1f} GiB of swap" if self.swap else "no swap"]
        parts += [f"power mode {self.power_mode}"] if self.power_mode else []
        return ", ".join(parts)


def system_root() -> Path:
    return Path(os.environ.get(ROOT) or "/")


def read_device(root: Path | None = None) -> DeviceFacts:
    """Read all that can be read; whatever is missing or garbled is left unknown."""
    root = root or system_root()
    packages = files.packages(root)
    l4t = _l4t(root, packages)
    socs = files.text(root / "proc/device-tree/compatible").replace("\0", " ").split()
    jetson = l4t is not None or any(soc.startswith("nvidia,tegra") for soc in socs)
    cuda = files.cuda(root, packages)
    driver = files.driver(root)
    found = Gpu(None, jetson_capability(socs, version_of(cuda))) if jetson else find_gpu()
    memory = files.memory(root)
    python, library = module_version("tensorrt"), files.tensorrt(packages)
    return DeviceFacts(
        kind="jetson" if jetson else "gpu" if found.capability or driver else "cpu",
        module=files.text(root / "proc/device-tree/model").strip("\0 \n") or None,
        arch=platform.machine(),
        l4t=l4t,
        jetpack=_jetpack(l4t, packages),
        tensorrt=python or library,
        tensorrt_library=library,
        tensorrt_python=python,
        tensorrt_rtx=module_version("tensorrt_rtx"),
        cuda=cuda,
        driver=driver,
        gpu=found.name,
        capability=found.capability,
        memory=memory.get("MemTotal", 0),
        swap=memory.get("SwapTotal", 0),
        cma=memory.get("CmaTotal"),
        power_mode=power_mode(),
        python=platform.python_version(),
    )


def _l4t(root: Path, packages: Mapping[str, str]) -> str | None:
    """From the release file's first line, `# R36 (release), REVISION: 4.3, ...`, or the package."""
    line = files.text(root / "etc/nv_tegra_release")
    found = re.search(r"R(\d{2,3}) \(release\), REVISION: (\d+(?:\.\d+)*)", line)
    return f"{found[1]}.{found[2]}" if found else plain(packages.get("nvidia-l4t-core"))


def _jetpack(l4t: str | None, packages: Mapping[str, str]) -> str | None:
    """The meta-package knows best; a board that was only flashed has none, but has its L4T."""
    if told := plain(packages.get("nvidia-jetpack")):
        return told
    release = version_of(l4t)
    for length in (3, 2):
        if known := JETPACKS.get(".".join(map(str, release[:length]))):
            return known
    return None
