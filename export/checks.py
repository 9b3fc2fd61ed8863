"""What an export was asked to do; every mistake that can be seen without work is told here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..benchmark.gate import Gate
from ..core.errors import ConfigError
from ..core.files import refuse_unwritable
from ..core.golden import MIN_PROBE
from ..core.manifest import Candidate
from ..core.models.config import ModelConfig
from ..engines.tensorrt_build import BuildRequest
from .candidates import candidates_of
from .options import ExportOptions
from .recipe import load_recipe
from .variants import Target, targets_named

SUFFIX = ".pvb"


@dataclass(frozen=True)
class Order:
    """The options, read and found sound."""

    out: Path
    targets: tuple[Target, ...]
    candidates: tuple[Candidate, ...]
    """The default first."""
    architectures: tuple[str, ...]
    probe: int


def checked(options: ExportOptions) -> Order:
    if options.out is None:
        raise ConfigError("say where the bundle goes: -o OUT.pvb")
    if options.out.suffix != SUFFIX:
        raise ConfigError(f"{options.out}: a bundle's name ends in {SUFFIX}")
    refuse_unwritable(options.out)
    if options.gate != "agreement":
        Gate.parse(options.gate)
    architectures = tuple(one.strip() for one in options.arch.split(",") if one.strip())
    BuildRequest(architectures)
    candidates = candidates_of(options.candidates, int8=options.int8)
    _check_recipe(options, candidates)
    targets = targets_named(options.target)
    return Order(options.out, targets, candidates, architectures, _probe(options))


def require_possible(config: ModelConfig, order: Order) -> None:
    """What only the weights tell: a convolutional model goes to the processors it is light for."""
    if not config.convolutional:
        return
    if others := [target.name for target in order.targets if target.variant != "cpu"]:
        raise ConfigError(
            f"{config.trunk} is exported for the target cpu only, not for {', '.join(others)}: "
            "its half-precision graphs have not been judged; leave --target out"
        )
    if "int8-attention" in order.candidates:
        raise ConfigError(f"{config.trunk} has no attention; leave int8-attention out")


def _check_recipe(options: ExportOptions, candidates: tuple[Candidate, ...]) -> None:
    if options.recipe is None:
        return
    if not options.int8:
        raise ConfigError("--recipe is for quantising; give --int8 too")
    if load_recipe(options.recipe).int8_attention and "int8-attention" in candidates:
        raise ConfigError(
            f"{options.recipe} quantises attention already, so the candidate int8-attention would "
            "be the default once more; leave it out, or set int8_attention = false"
        )


def _probe(options: ExportOptions) -> int:
    """How many probe crops are stored: without any, a device could not choose."""
    count = options.probe
    if count is None:
        count = MIN_PROBE if options.candidates is not None else 0
    elif not count and options.candidates is not None:
        raise ConfigError(
            "a device chooses among candidates by the probe crops; leave --probe 0 out"
        )
    if 0 < count < MIN_PROBE:
        raise ConfigError(f"{count} probe crops show nothing; give {MIN_PROBE} or more, or 0")
    if options.probe_crops == "data" and not count:
        raise ConfigError("--probe-crops data stores nothing by itself; give --probe N too")
    return count
