"""Logs of tegrastats with a known power over time, in the real line forms that README.md quotes.

    python tests/benchmark/tegrastats/make_logs.py

writes the logs beside this file; no Jetson was at hand.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

HERE = Path(__file__).parent
START = datetime(2026, 11, 20, 9, 30, 0)

# Seconds and watts at the corners; straight lines between them, and a ripple on top.
CORNERS = ((0.0, 7.0), (20.0, 7.0), (26.0, 31.0), (80.0, 31.0), (92.0, 19.0), (120.0, 7.0))
RIPPLE_W = 2.0
RIPPLE_S = 11.0


def power(at: float, scale: float) -> float:
    """Watts of the whole module."""
    ripple = RIPPLE_W * math.sin(2 * math.pi * at / RIPPLE_S)
    for (t0, p0), (t1, p1) in pairwise(CORNERS):
        if at <= t1:
            return scale * (p0 + (p1 - p0) * (at - t0) / (t1 - t0) + ripple)
    return scale * (CORNERS[-1][1] + ripple)


def exact_joules(start: float, stop: float, scale: float) -> float:
    """The same power integrated on paper."""
    total = 0.0
    for (t0, p0), (t1, p1) in pairwise(CORNERS):
        a, b = max(t0, start), min(t1, stop)
        if a < b:
            slope = (p1 - p0) / (t1 - t0)
            total += (p0 - slope * t0) * (b - a) + slope * (b * b - a * a) / 2
    angle = 2 * math.pi / RIPPLE_S
    total += RIPPLE_W * (math.cos(angle * start) - math.cos(angle * stop)) / angle
    return scale * total


def rail(name: str, watts: float, average: float, form: str) -> str:
    now, mean = round(1000 * watts), round(1000 * average)
    return {
        "pair": f"{name} {now}mW/{mean}mW",
        "triple": f"{name} {now}mW/{mean}mW/{max(now, mean)}mW",
        "plain": f"{name} {now}/{mean}",
    }[form]


def agx_orin_jp5(watts: float, average: float) -> str:
    gpu, cpu, rest = (part * watts for part in (0.55, 0.2, 0.25))
    rails = [
        rail("VDD_GPU_SOC", gpu, 0.55 * average, "pair"),
        rail("VDD_CPU_CV", cpu, 0.2 * average, "pair"),
        rail("VIN_SYS_5V0", rest, 0.25 * average, "pair"),
        rail("NC", 0, 0, "pair"),
        rail("VDDQ_VDD2_1V8AO", 0.9, 0.9, "pair"),
        rail("NC", 0, 0, "pair"),
    ]
    cores = ",".join(["3%@2201"] * 12)
    return (
        "RAM 4282/62795MB (lfb 13152x4MB) SWAP 0/31398MB (cached 0MB) "
        f"CPU [{cores}] EMC_FREQ 12%@2133 GR3D_FREQ 80%@1300 GR3D2_FREQ 78%@1300 VIC_FREQ 729 "
        "APE 174 CV0@-256C CPU@48.593C Tboard@36C SOC2@44.343C Tdiode@37.25C SOC0@44.375C "
        f"CV1@-256C GPU@46.5C tj@48.593C SOC1@43.468C CV2@-256C {' '.join(rails)}"
    )


def orin_nano_jp6(watts: float, average: float) -> str:
    rails = [
        rail("VDD_IN", watts, average, "pair"),
        rail("VDD_CPU_GPU_CV", 0.4 * watts, 0.4 * average, "pair"),
        rail("VDD_SOC", 0.2 * watts, 0.2 * average, "pair"),
    ]
    cores = ",".join(["14%@1728"] * 6)
    return (
        f"RAM 2461/7620MB (lfb 3x2MB) SWAP 3/3810MB (cached 0MB) CPU [{cores}] EMC_FREQ 4%@2133 "
        "GR3D_FREQ 90%@[1007] NVDEC off NVJPG off NVJPG1 off VIC off OFA off APE 200 "
        f"cpu@56.531C soc2@55.312C soc0@54.593C gpu@57.218C tj@57.843C soc1@55.843C "
        f"{' '.join(rails)}"
    )


def thor_jp7(watts: float, average: float) -> str:
    rails = [
        rail("VDD_GPU", 0.45 * watts, 0.45 * average, "triple"),
        rail("VDD_CPU_SOC_MSS", 0.2 * watts, 0.2 * average, "triple"),
        rail("VIN_SYS_5V0", 0.15 * watts, 0.15 * average, "triple"),
        rail("VIN", watts, average, "triple"),
    ]
    cores = ",".join(["2%@972"] * 14)
    return (
        f"RAM 36529/125749MB (lfb 12x4MB) SWAP 11/4096MB (cached 9MB) CPU [{cores}] "
        "cpu@60.406C/61.75C tj@63.281C/66.625C soc012@58.468C/58.781C gpu@62.906C/66.625C "
        f"soc345@63.281C/63.281C {' '.join(rails)}"
    )


@dataclass(frozen=True)
class Log:
    line: Callable[[float, float], str]
    scale: float
    interval: float = 1.0
    jitter: float = 0.03
    dropped: float = 0.0
    broken: int = 0


LOGS = {
    "agx-orin-jetpack5": Log(agx_orin_jp5, 1.0),
    "orin-nano-jetpack6": Log(orin_nano_jp6, 0.4),
    "thor-jetpack7": Log(thor_jp7, 2.5),
    "orin-nano-jetpack6-gaps": Log(orin_nano_jp6, 0.4, jitter=0.3, dropped=0.15, broken=5),
}

FAST = Log(orin_nano_jp6, 0.4, interval=0.1, jitter=0.004)
"""As the meter asks for; ten lines have one time. Too long to keep: the test makes it."""


def lines(log: Log) -> Iterator[str]:
    rng = random.Random(5)  # noqa: S311
    seen: list[float] = []
    count = round(CORNERS[-1][0] / log.interval)
    broken = set(rng.sample(range(1, count), log.broken))
    for nth in range(count + 1):
        at = nth * log.interval + (rng.uniform(-log.jitter, log.jitter) if nth else 0.0)
        if nth not in (0, count) and rng.random() < log.dropped:
            continue
        watts = power(max(at, 0.0), log.scale)
        seen.append(watts)
        # Half a second, so that no jitter moves a line of one second into another.
        stamp = (START + timedelta(seconds=at + 0.5 * min(log.interval, 1.0))).replace(
            microsecond=0
        )
        line = f"{stamp:%m-%d-%Y %H:%M:%S} {log.line(watts, sum(seen) / len(seen))}"
        yield line[: len(line) // 3] if nth in broken else line


def write_all() -> None:
    for name, log in LOGS.items():
        (HERE / f"{name}.log").write_text("\n".join(lines(log)) + "\n")


if __name__ == "__main__":
    write_all()
