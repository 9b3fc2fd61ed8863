"""Contests run real processes, ours agrees with itself, and mistakes are explained."""

from __future__ import annotations

import json

import numpy as np
import pytest

from personvit.benchmark import ranking_speed, rerank_speed
from personvit.benchmark.cli import main
from personvit.benchmark.contest import contenders, contest, parse_peers
from personvit.benchmark.retrieval_case import MARKET, Size, distances_of, load_labels, make_case
from personvit.core.errors import ConfigError, EnvironmentMismatch, UserError
from personvit.core.metrics.ranking import from_distances
from personvit.core.metrics.scores import evaluate, score

SMALL = Size("small", 30, 200, 12, 3, 20, width=16)


@pytest.fixture
def small(monkeypatch):
    for module in (ranking_speed, rerank_speed):
        monkeypatch.setattr(module, "MARKET", SMALL)
    monkeypatch.setattr(ranking_speed, "MSMT17", SMALL)


def test_a_case_has_the_published_counts_and_is_the_same_for_a_seed():
    case = make_case(SMALL, 3)
    query_ids, gallery_ids, _, gallery_cams = case.labels
    assert (case.query.shape, case.gallery.shape) == ((30, 16), (200, 16))
    assert (gallery_ids == 0).sum() == SMALL.distractors
    assert query_ids.min() >= 1
    assert set(np.unique(gallery_cams)) == {1, 2, 3}
    again = make_case(SMALL, 3)
    np.testing.assert_array_equal(case.gallery, again.gallery)
    assert (MARKET.queries, MARKET.gallery) == (3368, 15913)


def test_ranking_reports_every_leg(small, tmp_path, capsys):
    assert main.run(["ranking", "--rounds", "2", "-o", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "ranking.json").read_text()) | {"notes": told["notes"]}
    assert len(told["legs"]) == 4
    case = make_case(SMALL)
    expected = evaluate(case.query, case.gallery, *case.labels)
    for leg in told["legs"][:2]:
        (ours,) = leg["contenders"]
        assert len(ours["seconds"]) == len(ours["cpu_seconds"]) == 2
        assert ours["peak_bytes"] > 10_000_000
        assert leg["times_our_time"] == {"ours": 1.0}
    assert told["legs"][0]["contenders"][0]["facts"]["mean_ap"] == expected.mean_ap


def test_reranking_scores_what_was_written(small, capsys):
    assert main.run(["reranking", "--rounds", "1", "--k1", "8", "--json"]) == 0
    (ours,) = json.loads(capsys.readouterr().out)["legs"][0]["contenders"]
    assert ours["facts"]["near_ours"] == 1
    assert 0 < ours["facts"]["mean_ap"] <= 1


def test_a_quarter_of_the_distances_belongs_to_a_quarter_of_the_queries(tmp_path):
    case = make_case(SMALL)
    query_ids, gallery_ids, query_cams, gallery_cams = case.labels
    labels = query_ids[::4], gallery_ids, query_cams[::4], gallery_cams
    expected = score(from_distances(distances_of(case)[::4], *labels))
    assert score(from_distances(distances_of(case, 4), *labels)).mean_ap == expected.mean_ap
    case.save(tmp_path)
    for saved, known in zip(load_labels(tmp_path), case.labels, strict=True):
        np.testing.assert_array_equal(saved, known)


def test_every_contender_says_what_it_does():
    assert {"ours", "fast-reid", "personvit"} <= {each.name for each in contenders()}
    for each in contenders():
        assert each.title
        assert each.prepare


def test_peers_are_named_by_their_checkouts(tmp_path):
    assert parse_peers([f"fast-reid={tmp_path}"], "rerank") == {"fast-reid": tmp_path.resolve()}
    for word, reason in (
        ("fast-reid", "give NAME=PATH"),
        ("fast-reid=/not/there", "give NAME=PATH"),
        (f"somebody={tmp_path}", "no contender is called"),
        (f"personvit={tmp_path}", "does not do this work"),
    ):
        with pytest.raises(ConfigError, match=reason):
            parse_peers([word], "rank-distances")


def test_a_peer_that_fails_is_named_and_its_reason_is_passed_on(tmp_path, capsys):
    with pytest.raises(EnvironmentMismatch, match=r"fast-reid could not .* checkout of fast-reid"):
        contest("rerank", {"fast-reid": tmp_path}, tmp_path, 1)
    words = ["ranking", "--peer", "fast-reid=/not/there"]
    assert main.run(words) == UserError.exit_code
    assert "give NAME=PATH" in capsys.readouterr().err
