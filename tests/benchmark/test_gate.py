"""The gate errs as seldom as it claims, and says undecided when the data cannot tell."""

from __future__ import annotations

import json

import numpy as np
import pytest

from personvit.benchmark.bootstrap import clustered_mean
from personvit.benchmark.gate import Gate, decide, resolvable
from personvit.benchmark.rank1 import Discordant
from personvit.core.errors import ConfigError, DataError
from personvit.core.metrics.scores import RetrievalScores

PER_IDENTITY = 4


def scores(average_precision: np.ndarray, rank1: np.ndarray | None = None) -> RetrievalScores:
    first = np.ones(len(average_precision)) if rank1 is None else rank1.astype(np.float64)
    first = np.where(np.isnan(average_precision), np.nan, first)
    per_query = {"mean_ap": average_precision, "minp": average_precision, "rank1": first}
    return RetrievalScores(per_query, np.full(50, np.nanmean(first)), len(first), 0)


def people(identities: int) -> np.ndarray:
    return np.repeat(np.arange(1, identities + 1), PER_IDENTITY)


def noise(random: np.random.Generator, identities: int) -> np.ndarray:
    """Half of the queries do not move; the rest move with heavy tails, identities together."""
    queries = identities * PER_IDENTITY
    moved = random.laplace(0, 0.03, queries) * (random.random(queries) < 0.5)
    return moved + np.repeat(random.normal(0, 0.01, identities), PER_IDENTITY)


def judge(change: np.ndarray, gate: Gate, seed: int = 0, resamples: int = 500):
    reference = np.full(len(change), 0.5)
    labels = people(len(change) // PER_IDENTITY)
    return decide(
        scores(reference), scores(reference + change), labels, gate, seed=seed, resamples=resamples
    )


@pytest.mark.parametrize(
    ("text", "metric", "margin"),
    [("mAP>=-0.2", "mean_ap", 0.002), (" minp >= -1 ", "minp", 0.01), ("R1>=-.5", "rank1", 0.005)],
)
def test_gates_are_read_in_points(text: str, metric: str, margin: float) -> None:
    gate = Gate.parse(text)
    assert (gate.metric, gate.margin) == (metric, pytest.approx(margin))
    assert Gate.parse(str(gate)) == gate


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mAP", "no gate"),
        ("mAP>-0.2", "no gate"),
        ("F1>=-0.2", "'F1' is not known; known are mAP, mINP and R1"),
        ("mAP>=0.2", "change allowed"),
        ("mAP>=0", "below 0"),
        ("mAP>=-200", "above -100"),
        ("mAP>=-0.2.1", "no gate"),
    ],
)
def test_a_wrong_gate_is_explained(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Gate.parse(text)


def test_a_loss_equal_to_the_margin_passes_seldom_and_one_beyond_it_fails() -> None:
    random = np.random.default_rng(0)
    gate = Gate("mean_ap", 0.005)
    drawn = [judge(noise(random, 200) - 0.005, gate, seed).decision for seed in range(300)]
    assert drawn.count("pass") / 300 <= 0.08
    assert drawn.count("fail") / 300 <= 0.08
    assert judge(noise(random, 200) - 0.03, gate).decision == "fail"


def test_the_stated_resolution_is_met_with_the_stated_power() -> None:
    random = np.random.default_rng(1)
    margin = round(resolvable(clustered_mean(noise(random, 5000), people(5000))) * 5**0.5, 5)
    drawn = [judge(noise(random, 1000), Gate("mean_ap", margin), seed) for seed in range(200)]
    assert 0.7 <= sum(each.decision == "pass" for each in drawn) / 200 <= 0.9


def test_200_queries_cannot_show_what_3000_can() -> None:
    random = np.random.default_rng(2)
    gate = Gate.parse("mAP>=-0.2")
    few = [judge(noise(random, 50), gate, seed) for seed in range(50)]
    assert {each.decision for each in few} <= {"undecided", "fail"}
    assert [each.decision for each in few].count("undecided") >= 45
    needed = [each.needed for each in few if each.needed]
    assert 1_500 <= np.median(needed) <= 4_000
    many = [judge(noise(random, 750), gate, seed).decision for seed in range(50)]
    assert many.count("pass") >= 40


def test_too_few_queries_stay_undecided_even_when_none_of_them_changed() -> None:
    verdict = judge(np.zeros(100), Gate.parse("mAP>=-0.2"))
    assert verdict.decision == "undecided"
    assert verdict.needed == 1500
    assert judge(np.zeros(1500), Gate.parse("mAP>=-0.2")).decision == "pass"


def test_a_handful_of_identities_never_decides() -> None:
    change = np.full(4000, -0.5)
    labels = np.repeat(np.arange(10), 400)
    reference = np.full(4000, 0.9)
    verdict = decide(scores(reference), scores(reference + change), labels, Gate(), resamples=100)
    assert verdict.decision == "undecided"
    assert "identities" in verdict.sentence


def test_identities_widen_the_bounds_where_their_queries_move_together() -> None:
    random = np.random.default_rng(3)
    together = np.repeat(random.normal(0, 0.1, 200), PER_IDENTITY)
    clustered = clustered_mean(together, people(200))
    alone = clustered_mean(together, np.arange(800))
    assert clustered.error == pytest.approx(2 * alone.error, rel=0.02)


def test_a_skewed_loss_is_bounded_as_well() -> None:
    random = np.random.default_rng(4)
    missed = 0
    for seed in range(300):
        change = -1.0 * (random.random(1200) < 0.05) * random.exponential(0.1, 1200)
        missed += clustered_mean(change, people(300), seed=seed, resamples=1000).lower > -0.005
    assert missed / 300 <= 0.08


def test_a_mean_ap_that_holds_does_not_hide_a_fall_of_rank1() -> None:
    random = np.random.default_rng(5)
    first = np.ones(3000)
    fallen = first.copy()
    fallen[random.choice(3000, 60, replace=False)] = 0
    same = np.full(3000, 0.8)
    verdict = decide(scores(same, first), scores(same, fallen), people(750), Gate(), resamples=500)
    assert verdict.decision == "fail"
    assert "Rank-1" in verdict.sentence


@pytest.mark.parametrize(("lost", "decision"), [(3, "pass"), (12, "undecided"), (60, "fail")])
def test_a_gate_on_rank1(lost: int, decision: str) -> None:
    reference = np.full(3000, 0.8)
    after = np.ones(3000)
    after[np.arange(lost) * 7] = 0
    verdict = decide(
        scores(reference),
        scores(reference, after),
        people(750),
        Gate.parse("R1>=-0.5"),
        resamples=2000,
    )
    assert verdict.decision == decision, verdict.as_text()


def test_rank1_without_a_margin_is_mcnemars_exact_test() -> None:
    assert Discordant(9, 1, 1000).p_worse() == pytest.approx(11 / 1024)
    assert Discordant(0, 0, 1000).p_worse() == 1.0


def test_the_exact_test_of_rank1_errs_as_seldom_as_it_claims() -> None:
    random = np.random.default_rng(6)
    wrong = 0
    for _ in range(400):
        lost, won, _same = random.multinomial(2000, [0.02, 0.01, 0.97])
        wrong += Discordant(int(lost), int(won), 2000).p_within(0.01) < 0.05
    assert wrong / 400 <= 0.07
    low, high = Discordant(40, 20, 2000).bounds(0.95)
    assert low < 0.01 < high
    assert high - low < 0.025


def test_queries_that_cannot_be_scored_are_left_out_of_both() -> None:
    both = np.full(2000, 0.5)
    both[::10] = np.nan
    verdict = decide(scores(both), scores(both), people(500), Gate(), resamples=100)
    assert (verdict.samples, verdict.decision) == (1800, "pass")


def test_scores_of_different_queries_are_refused() -> None:
    with pytest.raises(DataError, match="same queries"):
        decide(scores(np.ones(10)), scores(np.ones(9)), np.arange(10), Gate())
    other = np.ones(10)
    other[3] = np.nan
    with pytest.raises(DataError, match="one gallery"):
        decide(scores(np.ones(10)), scores(other), np.arange(10), Gate())


def test_the_verdict_is_plain_json_and_the_same_every_time() -> None:
    random = np.random.default_rng(7)
    change = noise(random, 100)
    documents = {json.dumps(judge(change, Gate(), 3).as_json(), allow_nan=False) for _ in range(2)}
    assert len(documents) == 1
