"""Runs the official PersonViT fine-tuning loop from its own checkout on a CPU and times its steps.

Its model, losses, optimiser, data loading and loop run unmodified. What is replaced around them:
the `yacs` package (a small stand-in for its configuration class), calls that move things to
'cuda', and the end of the epoch, which comes after the asked number of steps.

    python -m personvit.benchmark.finetune_peer CHECKOUT DATA CONFIG STEPS KEY VALUE ...
"""

from __future__ import annotations

import ast
import json
import sys
import time
import types
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import nn


class CfgNode(dict[str, Any]):
    """As much of yacs as the peer uses: attribute access and merging of files and lists."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value

    def merge_from_file(self, path: str) -> None:
        yaml = import_module("yaml")  # comes with timm; it has no types of its own
        self._merge(yaml.safe_load(Path(path).read_text(encoding="utf-8")))

    def merge_from_list(self, words: list[str]) -> None:
        for key, value in zip(words[::2], words[1::2], strict=True):
            *sections, last = key.split(".")
            node = self
            for section in sections:
                node = node[section]
            node[last] = _literal(value)

    def _merge(self, values: dict[str, Any]) -> None:
        for key, value in values.items():
            if isinstance(value, dict):
                self[key]._merge(value)
            else:
                self[key] = _literal(value)


class TimedLoader:
    """Hands out a loader's batches, noting when each was asked for, up to a number of them."""

    def __init__(self, loader: Any, steps: int) -> None:
        self._loader, self._steps = loader, steps
        self.batch_size = loader.batch_size
        self.asked: list[float] = []

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self._loader)
        for _ in range(self._steps):
            self.asked.append(time.perf_counter())
            yield next(batches)
        self.asked.append(time.perf_counter())


def run(checkout: Path, config: str, steps: int, words: list[str]) -> list[float]:
    """Seconds of each step, from asking for its batch to asking for the next."""
    sys.path.insert(0, str(checkout / "transreid_pytorch"))
    _stand_in_for_yacs()
    _stay_on_the_cpu()
    cfg = import_module("config").cfg
    cfg.merge_from_file(str(checkout / "transreid_pytorch" / config))
    cfg.merge_from_list(words)
    import_module("train").set_seed(cfg.SOLVER.SEED)
    loader, _, evaluation, queries, classes, cameras, views = import_module(
        "datasets"
    ).make_dataloader(cfg)
    model = import_module("model").make_model(
        cfg, num_class=classes, camera_num=cameras, view_num=views
    )
    losses, centers = import_module("loss").make_loss(cfg, num_classes=classes)
    optimiser, center_optimiser = import_module("solver").make_optimizer(cfg, model, centers)
    schedule = import_module("solver.scheduler_factory").create_scheduler(cfg, optimiser)
    timed = TimedLoader(loader, steps)
    import_module("processor").do_train(
        cfg, model, centers, timed, evaluation, optimiser, center_optimiser, schedule, losses,
        queries, 0,
    )  # fmt: skip
    return [after - before for before, after in pairwise(timed.asked)]


def main() -> None:
    import torch

    checkout, data, config, steps, *words = sys.argv[1:]
    quiet = sys.stdout
    sys.stdout = sys.stderr  # the peer prints; only the result may go to stdout
    seconds = run(Path(checkout), config, int(steps), ["DATASETS.ROOT_DIR", repr(data), *words])
    quiet.write(json.dumps({"seconds": seconds, "threads": torch.get_num_threads()}) + "\n")


def _literal(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def _freeze(node: CfgNode) -> None:
    """The peer freezes its configuration; here nobody else writes to it."""


def _stand_in_for_yacs() -> None:
    package, module = types.ModuleType("yacs"), types.ModuleType("yacs.config")
    CfgNode.freeze = _freeze  # type: ignore[attr-defined]
    module.CfgNode = CfgNode  # type: ignore[attr-defined]
    sys.modules |= {"yacs": package, "yacs.config": module}


def _stay_on_the_cpu() -> None:
    import torch
    from torch import nn

    tensor_to, module_to = torch.Tensor.to, nn.Module.to

    def to(self: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        return self if args == ("cuda",) else tensor_to(self, *args, **kwargs)

    def move(self: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        return self if args == (0,) else module_to(self, *args, **kwargs)

    torch.Tensor.to = to  # type: ignore[method-assign, assignment]
    nn.Module.to = move  # type: ignore[method-assign, assignment]
    torch.Tensor.cuda = lambda self, *args, **kwargs: self  # type: ignore[method-assign]
    torch.cuda.synchronize = lambda *args: None


if __name__ == "__main__":
    main()
