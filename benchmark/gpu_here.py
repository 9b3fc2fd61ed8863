"""Says which GPU is here, or in one sentence that none is; `make gpu-test` asks it first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..core.command import CommandGroup
from ..core.errors import EnvironmentMismatch


@dataclass(frozen=True)
class GpuHereOptions:
    """Name the GPU that torch sees; end with exit code 3 where there is none.

    Example: python -m personvit.benchmark.gpu_here
    """


@dataclass(frozen=True)
class GpuHere:
    name: str
    capability: tuple[int, int]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "capability": list(self.capability)}

    def as_text(self) -> str:
        return "{} (SM {}.{})".format(self.name, *self.capability)


def gpu_here(options: GpuHereOptions) -> GpuHere:
    import torch

    if not torch.cuda.is_available():
        raise EnvironmentMismatch(
            "no CUDA device answers to torch here, so nothing that needs a GPU was run"
        )
    return GpuHere(torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0))


if __name__ == "__main__":
    main = CommandGroup("gpu-here", "Which GPU is here.")
    main.command("gpu", GpuHereOptions, default=True)(gpu_here)
    main()
