"""Which instructions a CPU runtime may use here, and whether INT8 is worth serving with them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping

from ..core.errors import ConfigError
from ..core.machine import Machine

CAP_VARIABLES = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""oneDNN's own switch, which OpenVINO obeys. Its capability list does not, so it is read here."""

_AVX512 = ("avx2", "avx512f")
_VNNI = (*_AVX512, "avx512_vnni", "avx_vnni")
_BF16 = (*_VNNI, "avx512_bf16")
_AMX = (*_BF16, "amx_tile", "amx_int8", "amx_bf16")
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    "SSE41": (),
    "AVX": (),
    "AVX2": ("avx2",),
    "AVX2_VNNI": ("avx2", "avx_vnni"),
    "AVX2_VNNI_2": ("avx2", "avx_vnni"),
    "AVX512_CORE": _AVX512,
    "AVX512_CORE_VNNI": _VNNI,
    "AVX512_CORE_BF16": _BF16,
    "AVX512_CORE_FP16": _BF16,
    "AVX10_1_512": _BF16,
    "AVX512_CORE_AMX": _AMX,
    "AVX512_CORE_AMX_FP16": _AMX,
    "AVX10_1_512_AMX": _AMX,
    "AVX10_1_512_AMX_FP16": _AMX,
}
_LIFTED = ("", "ALL", "DEFAULT")

EXACT_INT8 = ("amx", "avx512-vnni", "avx-vnni")
"""Classes whose INT8 products neither saturate in 16 bits nor run slower than FP32."""


def capped(machine: Machine, environment: Mapping[str, str] = os.environ) -> Machine:
    """The machine as oneDNN sees it under its cap."""
    cap = cap_of(environment)
    if cap is None:
        return machine
    allowed = _ALLOWED[cap]
    return dataclasses.replace(machine, flags=tuple(f for f in machine.flags if f in allowed))


def cap_of(environment: Mapping[str, str] = os.environ) -> str | None:
    for variable in CAP_VARIABLES:
        value = environment.get(variable, "").upper()
        if value in _ALLOWED:
            return value
        if value not in _LIFTED:
            known = ", ".join(("ALL", *_ALLOWED))
            raise ConfigError(f"{variable}={value} is not a set this project knows; {known}")
    return None


def why_not_int8(machine: Machine, environment: Mapping[str, str] = os.environ) -> str | None:
    """The sentence that says why INT8 would lose on this (capped) machine, or nothing."""
    if machine.instruction_class in EXACT_INT8:
        return None
    cap = cap_of(environment)
    blame = f" (capped by {cap})" if cap else ""
    return (
        f"the CPU's instruction set here is {machine.instruction_class}{blame}, which has no "
        "VNNI or AMX: INT8 sums saturate in 16 bits or run slower than FP32"
    )
