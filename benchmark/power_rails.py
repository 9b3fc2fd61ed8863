"""Which of a Jetson's power rails tell what the whole module draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Total:
    rails: tuple[str, ...]
    modules: str
    means: str

    @property
    def name(self) -> str:
        return " + ".join(self.rails)


TOTALS = (
    Total(
        ("VDD_IN",),
        "Orin Nano, Orin NX, Xavier NX, TX2",
        "the module's input",
    ),  # forums.developer.nvidia.com/t/interpretation-of-jetson-nx-power-rail/200883
    Total(
        ("VIN",),
        "AGX Thor",
        "the input of the board",
    ),  # larger than the sum of the other rails in every line seen (docs/energy.md)
    Total(
        ("POM_5V_IN",),
        "Nano",
        "the input of the board",
    ),  # forums.developer.nvidia.com/t/power-consumption-monitoring/73608/8
    Total(
        ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
        "AGX Orin",
        "three rails, and less than the input, which has no sensor",
    ),
    Total(
        ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),
        "AGX Xavier",
        "six rails, and less than the input, which has no sensor",
    ),  # forums.developer.nvidia.com/t/xavier-jetson-total-power-consumption/81016
)
"""The first whose rails are all there is used. AGX Orin's VDDQ_VDD2_1V8AO is left out, because
JetPack 6 and 7 do not print it and a JetPack 5 run must mean the same."""


def total_of(rails: Mapping[str, int]) -> Total | None:
    """None where no known set of rails is complete; nothing is put in its place."""
    return next((each for each in TOTALS if set(each.rails) <= set(rails)), None)


def watts_of(rails: Mapping[str, int], total: Total) -> float | None:
    """None where a line lacks one of the rails."""
    if not set(total.rails) <= set(rails):
        return None
    return sum(rails[name] for name in total.rails) / 1000
