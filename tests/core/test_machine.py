"""The machine facts that make results comparable."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from personvit.core.machine import this_machine


def test_this_machine_is_described():
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.packages["numpy"] == np.__version__
    assert json.loads(json.dumps(machine.as_json()))["cpu"] == machine.cpu
    assert machine.cpu in machine.as_text()


def test_the_instruction_class_is_the_widest():
    machine = this_machine()
    assert replace(machine, flags=("avx2", "avx512f", "avx512_vnni")).instruction_class == (
        "avx512-vnni"
    )
    assert replace(machine, flags=("asimddp",)).instruction_class == "arm-dotprod"
    assert replace(machine, flags=()).instruction_class == "baseline"
