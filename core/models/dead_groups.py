"""Groups of tensors that published files carry and inference drops, with their exact shapes."""

from __future__ import annotations

from .family import DeadGroup, Shape

PROJECTION = "projection head of pre-training"
MASKING = "mask token of pre-training"


def linear(name: str, reason: str, inputs: int | str = "D") -> DeadGroup:
    """A linear layer with a bias."""
    return DeadGroup(reason, {f"{name}.weight": ("n", inputs), f"{name}.bias": ("n",)})


def projection(mlp: str, *last: str) -> DeadGroup:
    """The three layers of DINO's head and the weight-normed prototypes behind them."""
    shapes: dict[str, Shape] = {
        f"{mlp}.0.weight": ("h", "D"),
        f"{mlp}.0.bias": ("h",),
        f"{mlp}.2.weight": ("h", "h"),
        f"{mlp}.2.bias": ("h",),
        f"{mlp}.4.weight": ("b", "h"),
        f"{mlp}.4.bias": ("b",),
    }
    for name in last:
        shapes |= {f"{name}.weight_g": (f"k {name}", 1), f"{name}.weight_v": (f"k {name}", "b")}
    return DeadGroup(PROJECTION, shapes)


def mask_token(name: str) -> DeadGroup:
    return DeadGroup(MASKING, {name: (1, "D")})


def wide_projection(name: str) -> DeadGroup:
    """MSN's projection head: three layers, two batch norms."""
    shapes: dict[str, Shape] = {}
    for layer, sizes in {"fc1": ("h", "D"), "fc2": ("h", "h"), "fc3": ("o", "h")}.items():
        shapes |= {f"{name}.{layer}.weight": sizes, f"{name}.{layer}.bias": sizes[:1]}
    for norm in ("bn1", "bn2"):
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{norm}.{part}"] = ("h",)
        shapes[f"{name}.{norm}.num_batches_tracked"] = ()
    return DeadGroup(PROJECTION, shapes)
