"""PyTorch: runs weights of any known family as they are, on a CPU or a CUDA device."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ConfigError, EnvironmentMismatch
from ..core.machine import this_machine
from ..core.preprocess import Preprocess
from .base import BaseEngine, EngineInfo, EngineOptions, EngineSpec, Tensors, TensorSpec

if TYPE_CHECKING:
    import torch

    from ..core.models.vit import ReidVit

PRECISIONS = {"cpu": ("fp32", "bf16"), "cuda": ("fp32", "fp16", "bf16")}
NEEDED = ("torch", "timm", "torchvision", "safetensors")


class TorchEngine(BaseEngine):
    """fp32 is full precision (no TF32); fp16 and bf16 are autocast, with norms in fp32."""

    def __init__(
        self,
        model: ReidVit,
        preprocess: Preprocess,
        options: EngineOptions,
        provenance: Mapping[str, str] | None = None,
    ) -> None:
        import torch

        self._device = _device(options.device)
        self._precision = options.precision or "fp32"
        if self._precision not in PRECISIONS[self._device.type]:
            choices = ", ".join(PRECISIONS[self._device.type])
            raise ConfigError(
                f"precision {self._precision!r} is not offered by PyTorch on {self._device.type}; "
                f"choose from {choices}, or another device"
            )
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        self.preprocess = preprocess
        self.batch = options.batch
        self.inputs = _inputs(model, preprocess)
        self.outputs = (_embedding(model, provenance),)
        self._model = model.to(self._device).eval()
        self._turn = Lock()

    def close(self) -> None:
        if not self._closed:
            super().close()
            del self._model

    def info(self) -> EngineInfo:
        import torch

        on_cpu = self._device.type == "cpu"
        return EngineInfo(
            runtime="torch",
            versions={"torch": torch.__version__},
            device="cpu" if on_cpu else torch.cuda.get_device_name(self._device),
            instruction_set=this_machine().instruction_class
            if on_cpu
            else "sm_{}{}".format(*torch.cuda.get_device_capability(self._device)),
            precision=self._precision,
            thread_safety="several threads may call; batches run one after another",
        )

    def _run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        import torch

        half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(self._precision)
        if not len(feeds["images"]):
            return {"embedding": np.empty((0, self._model.config.embedding), dtype=np.float32)}
        cameras = feeds.get("cameras")
        where = None if cameras is None else torch.from_numpy(cameras).to(self._device)
        with (
            self._turn,
            torch.inference_mode(),
            torch.backends.cudnn.flags(allow_tf32=False),
            torch.autocast(self._device.type, dtype=half, enabled=half is not None),
        ):
            features = self._model(self._normalised(feeds["images"]), where)
            chosen = self._model.chosen(features).float()
            embedding = torch.nn.functional.normalize(chosen, dim=1)
        return {"embedding": embedding.cpu().numpy()}

    def _normalised(self, crops: NDArray[np.uint8]) -> torch.Tensor:
        """The same float32 steps as core's reference, on the device."""
        import torch

        images = torch.from_numpy(np.ascontiguousarray(crops)).to(self._device)
        if self.preprocess.colour == "bgr":
            images = images.flip(-1)
        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=self._device)
            for values in (self.preprocess.mean, self.preprocess.std)
        )
        return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()


def _open(source: str, options: EngineOptions) -> TorchEngine:
    from ..core.models.weights import load_weights

    loaded = load_weights(source)
    return TorchEngine(loaded.model, loaded.preprocess, options, loaded.provenance)


def _usable() -> tuple[bool, str]:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        return False, f"{', '.join(missing)} missing; pip install 'personvit[train]'"
    return True, ""


def _device(name: str | None) -> torch.device:
    import torch

    try:
        device = torch.device(name or "cpu")
    except RuntimeError as problem:
        raise ConfigError(f"device {name!r} is unknown; give cpu, cuda or cuda:1") from problem
    if device.type not in PRECISIONS:
        raise ConfigError(f"device {name!r} is not offered here; give cpu, cuda or cuda:1")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise EnvironmentMismatch(
            f"device {name!r} is not there: PyTorch sees {torch.cuda.device_count()} CUDA devices; "
            "check the driver (nvidia-smi) or use --device cpu"
        )
    return device


def _inputs(model: ReidVit, preprocess: Preprocess) -> tuple[TensorSpec, ...]:
    size = (None, preprocess.height, preprocess.width, 3)
    images = TensorSpec("images", "uint8", size, "crops")
    if not model.config.cameras:
        return (images,)
    return images, TensorSpec("cameras", "int64", (None,), "camera")


def _embedding(model: ReidVit, provenance: Mapping[str, str] | None) -> TensorSpec:
    from ..core.models.lineage import space_of

    config = model.config
    space = space_of(model, config.neck_feature, provenance)
    return TensorSpec("embedding", "float32", (None, config.embedding), "embedding", space)


ENGINE = EngineSpec("torch", "PyTorch", "weights of any known family", _usable, _open)
