"""Intervals over seeds against known ones."""

from __future__ import annotations

import pytest

from personvit.benchmark.seeds import spread_of
from personvit.core.errors import ConfigError


def test_an_interval_is_students() -> None:
    # Worked by hand: standard deviation 1, so 4.303 / sqrt(3).
    spread = spread_of([1.0, 2.0, 3.0])
    assert spread.mean == pytest.approx(2.0)
    assert spread.half == pytest.approx(2.484, abs=1e-3)
    assert spread.as_text() == "2.0 ± 2.5"


@pytest.mark.parametrize("count", [0, 1, 11])
def test_an_interval_needs_seeds(count) -> None:
    with pytest.raises(ConfigError, match="2 to 10 seeds"):
        spread_of([1.0] * count)
