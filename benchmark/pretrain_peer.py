"""Runs iBOT's published pre-training loop from its own checkout and times its steps.

Its model, head, loss, optimiser, schedules and loop run as published. What is replaced around
them: calls that move things to a GPU, where there is none; TensorBoard and the clustering scores
at the end of an epoch; the wrapper for several processes (one that does nothing is the cheaper for
it); and the position embedding, whose published form knows square images only.

    python -m personvit.benchmark.pretrain_peer CHECKOUT '{"batch": 16, "steps": 3, ...}'
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import sys
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn

PATCH = 16
EPOCHS_BEFORE = 2
"""Taken to lie behind, so that the last layer is no longer frozen."""

WORDS = (
    "--norm_last_layer false --shared_head true --out_dim 8192 --use_fp16 false "
    "--teacher_temp 0.07 --warmup_teacher_temp_epochs 30 --epochs 300 --freeze_last_layer 1 "
    "--pred_ratio 0 0.3 --pred_ratio_var 0 0.2 --clip_grad 3.0"
)


class TimedLoader:
    """Hands out the same crops again and again, noting when each step ended."""

    def __init__(self, images: list[torch.Tensor], masks: list[torch.Tensor], steps: int) -> None:
        """The crops lie where the steps are computed."""
        self._images, self._masks, self._steps = images, masks, steps
        self.clock: list[float] = []
        self.processor: list[float] = []

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Any]:
        import torch

        for _ in range(self._steps):
            self._note()
            labels = torch.arange(len(self._images[0]))
            yield [image.clone() for image in self._images], labels, list(self._masks)
        self._note()

    def _note(self) -> None:
        if self._images[0].is_cuda:
            import torch

            torch.cuda.synchronize()
        self.clock.append(time.perf_counter())
        self.processor.append(time.process_time())


@dataclass
class Published:
    """The published code's parts, built as its own program builds them."""

    program: Any
    utils: Any
    args: argparse.Namespace
    student: nn.Module
    teacher: nn.Module
    loss: Any


def published(checkout: Path, course: dict[str, Any]) -> Published:
    """Take the parts from a checkout; a process can do so once."""
    sys.path.insert(0, str(checkout))
    _stand_ins()
    device = course.get("device", "cpu")
    if device == "cpu":
        _stay_on_the_cpu()
    import torch

    dist: Any = import_module("torch.distributed")
    backend = "nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    program: Any = import_module("main_ibot")
    utils: Any = import_module("utils")
    utils.is_dist_avail_and_initialized = lambda: False  # or it gathers its logs on a GPU
    parser = argparse.ArgumentParser(parents=[program.get_args_parser()])
    words = f"{WORDS} --drop_path {course.get('drop_path', 0.1)}".split()
    args = parser.parse_args([*words, "--local_crops_number", str(course["locals"])])
    torch.manual_seed(0)
    student, teacher = (_network(args, course, student).to(device) for student in (True, False))
    teacher.load_state_dict(student.state_dict(), strict=False)
    for parameter in teacher.parameters():
        parameter.requires_grad = False
    loss = program.iBOTLoss(
        args.out_dim, args.out_dim, 2, course["locals"], args.warmup_teacher_temp,
        args.teacher_temp, args.warmup_teacher_patch_temp, args.teacher_patch_temp,
        args.warmup_teacher_temp_epochs, args.epochs,
    )  # fmt: skip
    return Published(program, utils, args, student, teacher, loss.to(device))


def run(checkout: Path, course: dict[str, Any]) -> dict[str, Any]:
    """Seconds of each step and the process's largest memory."""
    peer = published(checkout, course)
    import torch

    args, student = peer.args, _alone(peer.student)
    optimiser = torch.optim.AdamW(peer.utils.get_params_groups(student))
    schedules = [
        peer.utils.cosine_scheduler(*ends, args.epochs, course["steps"], **warm)
        for ends, warm in [
            ((args.lr * course["batch"] / 256, args.min_lr), {"warmup_epochs": 10}),
            ((args.weight_decay, args.weight_decay_end), {}),
            ((args.momentum_teacher, 1), {}),
        ]
    ]
    device = course.get("device", "cpu")
    images, masks = ([part.to(device) for part in kind] for kind in crops(course))
    loader = TimedLoader(images, masks, course["steps"])
    scaler = torch.amp.GradScaler(device) if course.get("fp16") else None
    before = _memory(device)
    found = peer.program.train_one_epoch(
        student, peer.teacher, peer.teacher, peer.loss, loader, optimiser, *schedules,
        EPOCHS_BEFORE, scaler, args,
    )  # fmt: skip
    import_module("torch.distributed").destroy_process_group()
    return {
        "seconds": [after - start for start, after in pairwise(loader.clock)],
        "processor_seconds": [after - start for start, after in pairwise(loader.processor)],
        "bytes_before": before,
        "bytes_at_most": _memory(device),
        "threads": torch.get_num_threads(),
        "loss": found["loss"],
    }


def _network(args: argparse.Namespace, course: dict[str, Any], student: bool) -> nn.Module:
    published = import_module("models.vision_transformer").VisionTransformer
    settings: dict[str, Any] = {"masked_im_modeling": True, "drop_path_rate": args.drop_path}
    backbone = _upright(published, course)(
        patch_size=PATCH, embed_dim=course["width"], depth=course["depth"],
        num_heads=course["width"] // 64, mlp_ratio=4, qkv_bias=True, return_all_tokens=True,
        **(settings if student else {}),
    )  # fmt: skip
    head = import_module("models.head").iBOTHead(
        course["width"], args.out_dim, patch_out_dim=args.patch_out_dim,
        norm_last_layer=args.norm_last_layer if student else True, shared_head=True,
    )  # fmt: skip
    wrapped: nn.Module = import_module("utils").MultiCropWrapper(backbone, head)
    return wrapped


def _upright(published: Any, course: dict[str, Any]) -> Any:
    """The published transformer with a grid of its own height and width."""
    import torch

    rows, columns = (side // PATCH for side in course["global"])

    class Upright(published):  # type: ignore[misc]
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            positions = torch.empty(1, 1 + rows * columns, course["width"])
            self.pos_embed = torch.nn.Parameter(torch.nn.init.trunc_normal_(positions, std=0.02))

        def interpolate_pos_encoding(self, x: torch.Tensor, w: int, h: int) -> torch.Tensor:
            if (w // PATCH, h // PATCH) == (rows, columns):
                return self.pos_embed
            first, cells = self.pos_embed[:, :1], self.pos_embed[:, 1:]
            image = cells.reshape(1, rows, columns, -1).permute(0, 3, 1, 2)
            image = torch.nn.functional.interpolate(
                image, size=(w // PATCH, h // PATCH), mode="bicubic"
            )
            return torch.cat([first, image.flatten(2).transpose(1, 2)], dim=1)

    return Upright


def _alone(network: nn.Module) -> nn.Module:
    """Where the published loop expects the wrapper for several processes."""
    from torch import nn

    class Alone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = network

        def forward(self, *inputs: Any, **named: Any) -> Any:
            return self.module(*inputs, **named)

    return Alone()


def crops(course: dict[str, Any]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Random pixels; half of the global crops are masked in part, as with the published ratios."""
    import torch

    torch.manual_seed(0)
    batch, rows, columns = course["batch"], *(side // PATCH for side in course["global"])
    images = [torch.randn(batch, 3, *course["global"]) for _ in range(2)]
    images += [torch.randn(batch, 3, *course["local"]) for _ in range(course["locals"])]
    masks = []
    for _ in images:
        chosen = torch.rand(batch, 1, 1) < 0.5
        masks.append(chosen & (torch.rand(batch, rows, columns) < 0.3))
    return images, masks


def _memory(device: str) -> int:
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _stand_ins() -> None:
    """For packages that write logs and score clusters."""
    board, scores = types.ModuleType("tensorboardX"), types.ModuleType("unsup_cls")
    board.SummaryWriter = object  # type: ignore[attr-defined]
    scores.eval_pred = lambda *args, **settings: (math.nan,) * 4  # type: ignore[attr-defined]
    sys.modules |= {"tensorboardX": board, "evaluation.unsupervised.unsup_cls": scores}


def _stay_on_the_cpu() -> None:
    import torch

    torch.Tensor.cuda = lambda self, *args, **kwargs: self  # type: ignore[method-assign]
    torch.cuda.synchronize = lambda *args: None


def main() -> None:
    quiet = sys.stdout
    sys.stdout = sys.stderr  # the peer prints; only the result may go to stdout
    quiet.write(json.dumps(run(Path(sys.argv[1]), json.loads(sys.argv[2]))) + "\n")


if __name__ == "__main__":
    main()
