"""Peaks of cards by name: what is told apart, and what is not guessed."""

import pytest

from personvit.benchmark.utilisation import card_of


@pytest.mark.parametrize(
    ("name", "facts", "peak"),
    [
        ("NVIDIA H200", {"capability": [9, 0]}, 989.5),
        ("NVIDIA H100 80GB HBM3", {"capability": [9, 0]}, 989.5),
        ("NVIDIA H100 PCIe", {}, 756.5),
        ("NVIDIA H100 NVL", {}, 835.5),
        ("NVIDIA A100-SXM4-80GB", {}, 312.0),
        ("NVIDIA A100 80GB PCIe", {}, 312.0),
        ("NVIDIA L4", {}, 121.0),
        ("NVIDIA Jetson AGX Orin Developer Kit", {"capability": [8, 7], "memory": 61 << 30}, 42.5),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", {}, None),
        ("NVIDIA L40S", {}, None),
        ("NVIDIA GH200 480GB", {}, None),
        ("NVIDIA A10", {}, None),
        ("Orin", {"capability": [8, 7]}, None),
    ],
)
def test_a_cards_peak_is_known_by_its_name_or_not_at_all(name, facts, peak):
    assert card_of({"name": name, **facts}, None).peak == peak
    assert card_of({"name": name, **facts}, 100.0).peak == 100.0


def test_a_share_is_operations_over_time_and_peak():
    card = card_of({"name": "NVIDIA A100-SXM4-40GB"}, None)
    assert card.share(312e12, 2.0) == pytest.approx(0.5)
