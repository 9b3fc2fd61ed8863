"""Several processes that act as one: features meet before the neck and the mining.

Every process computes the whole loss on the gathered features, so the neck's statistics, the
mined triplets and the head's gradients are those of one process with the global batch. What is
left to add up over processes is the backbone's gradient.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch._C._distributed_c10d import PrefixStore, Store
from torch.autograd.function import FunctionCtx
from torch.distributed.rendezvous import rendezvous

from ..core.errors import ConfigError, EnvironmentMismatch

PATIENCE = timedelta(minutes=10)
PARCEL = 16 << 20
"""Bytes of gradients that are sent together."""


class LostPeerError(EnvironmentMismatch):
    """Another process of the job is gone."""


@dataclass(frozen=True)
class World:
    """This process's place among those that train together."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    @property
    def shared(self) -> bool:
        return self.size > 1

    def any(self, flag: bool) -> bool:
        """Whether any process raised its flag; all get the same answer."""
        if not self.shared:
            return flag
        raised = torch.tensor([float(flag)], device=self.device)
        dist.all_reduce(raised, op=dist.ReduceOp.MAX)
        return bool(raised.item())

    def wait(self) -> None:
        if self.shared:
            dist.barrier()


@contextmanager
def joined(choice: str) -> Iterator[World]:
    """Join the processes that torchrun started, if it did, and leave them at the end."""
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    device = _device(choice, int(os.environ.get("LOCAL_RANK", "0")))
    if size == 1:
        yield World(device)
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=_store(), rank=rank, world_size=size, timeout=PATIENCE)
    try:
        yield World(device, rank, size)
    except RuntimeError as problem:
        if isinstance(problem, dist.DistError) or "gloo" in str(problem):
            raise LostPeerError(
                f"process {rank} lost the connection to another one of this job, which may have "
                f"said why ({str(problem).splitlines()[0][:200]}); torchrun --max-restarts=N "
                "starts a job again by itself"
            ) from problem
        raise
    finally:
        dist.destroy_process_group()


def _store() -> Store:
    """Where the processes find each other's addresses, apart for every start of a job.

    torchrun serves the same store to restarted workers, who would find the addresses of the dead
    there (PyTorch 2.15). Machines count restarts each for itself, so jobs on several need
    TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 instead (docs/pretrain.md).
    """
    store, _, _ = next(rendezvous("env://"))
    alone = os.environ.get("GROUP_WORLD_SIZE", "1") == "1"
    start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") if alone else "0"
    return PrefixStore(f"start-{start}", store)


def _device(choice: str, local_rank: int) -> torch.device:
    if choice == "cuda" and not torch.cuda.is_available():
        raise EnvironmentMismatch(
            "--device cuda was asked for, but PyTorch sees no CUDA device here; "
            "check nvidia-smi, or use --device cpu"
        )
    if choice == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        raise EnvironmentMismatch(
            f"process {local_rank} on this machine has no GPU of its own "
            f"({torch.cuda.device_count()} there); start fewer with --nproc-per-node"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


class _Gather(torch.autograd.Function):
    """Rows of all processes in rank order; the gradient of the own rows comes back."""

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Tensor:
        return grads[0].chunk(dist.get_world_size())[dist.get_rank()]


def gather_rows(rows: Tensor, world: World) -> Tensor:
    """A differentiable gather; every process must then compute the same loss from its result."""
    if not world.shared:
        return rows
    gathered: Tensor = _Gather.apply(rows)
    return gathered


class GradientSum:
    """Adds up a module's gradients over the processes while the backward pass still runs.

    Many small tensors travel as one: on a slow network each message costs its latency.
    """

    def __init__(self, module: nn.Module) -> None:
        self.active = True
        """False while gradients of several backward passes are still being accumulated."""
        self._ready: list[Tensor] = []
        self._travelling: list[_Parcel] = []
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._take)  # type: ignore[no-untyped-call]

    def _take(self, parameter: Tensor) -> None:
        if not self.active or parameter.grad is None:
            return
        self._ready.append(parameter.grad)
        if sum(gradient.nbytes for gradient in self._ready) >= PARCEL:
            self._send()

    def _send(self) -> None:
        if self._ready:
            self._travelling.append(_Parcel(self._ready))
            self._ready = []

    def finish(self) -> None:
        """Wait for the sums; call it between the backward pass and the optimiser."""
        self._send()
        for parcel in self._travelling:
            parcel.arrive()
        self._travelling.clear()


class _Parcel:
    """Gradients on their way: one tensor, which comes back as their sums."""

    def __init__(self, gradients: list[Tensor]) -> None:
        self._gradients = gradients
        self._flat = torch.cat([gradient.flatten() for gradient in gradients])
        self._work: Any = dist.all_reduce(self._flat, async_op=True)

    def arrive(self) -> None:
        self._work.wait()
        parts = torch.split(self._flat, [gradient.numel() for gradient in self._gradients])
        for gradient, part in zip(self._gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def agree_on(tensors: Iterable[Tensor]) -> None:
    """Start all processes from the first one's weights."""
    with torch.no_grad():
        for tensor in tensors:
            dist.broadcast(tensor, src=0)


def check_share(batch_size: int, world: World) -> None:
    if batch_size % world.size:
        raise ConfigError(
            f"a batch of {batch_size} crops cannot be shared evenly by {world.size} processes; "
            "change batch.identities or --nproc-per-node"
        )


def synchronise_norms(backbone: nn.Module, world: World) -> None:
    """Batch norms inside the backbone must see the global batch too."""
    has_norms = any(isinstance(part, nn.BatchNorm2d) for part in backbone.modules())
    if not has_norms or not world.shared:
        return
    if world.device.type != "cuda":
        raise ConfigError(
            "this model has batch norms in its backbone (an ICS stem, or a convolutional trunk), "
            "which PyTorch synchronises on GPUs only; train it in one process on this machine"
        )
    nn.SyncBatchNorm.convert_sync_batchnorm(backbone)  # type: ignore[no-untyped-call]
