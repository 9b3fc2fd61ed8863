"""oneDNN's cap is read as oneDNN reads it, for its capability list ignores it."""

from __future__ import annotations

import dataclasses

import pytest

from personvit.core.machine import this_machine
from personvit.engines.instruction_set import capped, why_not_int8

EVERYTHING = dataclasses.replace(
    this_machine(),
    flags=("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16"),
)


@pytest.mark.parametrize(
    ("cap", "seen", "exact"),
    [
        ("", "amx", True),
        ("ALL", "amx", True),
        ("AVX512_CORE_AMX", "amx", True),
        ("avx512_core_vnni", "avx512-vnni", True),
        ("AVX2_VNNI", "avx-vnni", True),
        ("AVX512_CORE", "avx512", False),
        ("AVX2", "avx2", False),
        ("SSE41", "baseline", False),
    ],
)
@pytest.mark.parametrize("variable", ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"])
def test_a_cap_hides_what_lies_above_it(variable, cap, seen, exact):
    environment = {variable: cap}
    machine = capped(EVERYTHING, environment)
    assert machine.instruction_class == seen
    reason = why_not_int8(machine, environment)
    assert (reason is None) == exact
    if reason:
        assert f"capped by {cap}" in reason
