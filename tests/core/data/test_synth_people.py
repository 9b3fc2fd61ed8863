"""Synthetic people: what stays true over a person's pictures, what a picture shows, domains."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from personvit.core.data.synth import SynthOptions, synth
from personvit.core.data.synth.attributes import COLOUR_GROUPS, REGION, shown, truth
from personvit.core.data.synth.captions import NOBODY, describe
from personvit.core.data.synth.domain import DOMAINS
from personvit.core.data.synth.occluders import KINDS, draw_occluder
from personvit.core.data.synth.person import Person, sample_person
from personvit.core.data.synth.scene import Shot, Visible, World, person_of, render

MANY = 150


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return [sample_person(3, number, DOMAINS["campus"]) for number in range(MANY)]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synth") / "set"
    options = SynthOptions(out, 8, 3, 2, 3, height=64, width=32, train_identities=2, workers=1)
    synth(options)
    return out


def pixels(world: World, shot: Shot) -> np.ndarray:
    with Image.open(io.BytesIO(render(world, shot)[0])) as image:
        return np.asarray(image, dtype=np.float64)


def test_there_are_enough_attributes_and_each_occurs_but_not_always(people: list[Person]) -> None:
    assert len(REGION) >= 15
    facts = [truth(person) for person in people]
    for name in REGION:
        held = sum(fact[name] for fact in facts)
        assert 0 < held < MANY, name


def test_nobody_wears_two_lower_garments_or_two_colours(people: list[Person]) -> None:
    for person in people:
        facts = truth(person)
        assert facts["trousers"] + facts["shorts"] + facts["skirt"] + facts["dress"] == 1
        assert sum(facts[f"upper_{name}"] for name in COLOUR_GROUPS) == 1
        assert sum(facts[f"lower_{name}"] for name in COLOUR_GROUPS) == (not facts["dress"])
        assert facts["backpack"] + facts["shoulder_bag"] + facts["handbag"] <= 1


def test_a_picture_shows_nothing_that_is_not_true(drawn: Path) -> None:
    with (drawn / "identities.csv").open(newline="") as file:
        known = {row["identity"]: row for row in csv.DictReader(file)}
    seen: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    with (drawn / "attributes.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            for name in REGION if row["identity"] in known else ():
                assert row[name] <= known[row["identity"]][name], row["path"]
                seen[row["identity"]][name] += int(row[name])
    for identity, row in known.items():
        for name, region in REGION.items():
            if region in ("upper", "lower") and row[name] == "1":
                assert seen[identity][name] > 0, (identity, name)


def test_what_cannot_be_seen_is_not_claimed(people: list[Person]) -> None:
    for person in people:
        behind = shown(person, Visible(front=False))
        assert not (behind["glasses"] or behind["beard"] or behind["print"])
        waist_up = shown(person, Visible(lower=False, feet=False))
        assert not any(waist_up[name] for name, region in REGION.items() if region == "lower")
        assert not any(shown(person, Visible(*[False] * 7)).values())


def test_captions_say_what_the_attributes_say(people: list[Person]) -> None:
    rng = np.random.default_rng(0)
    for person in people:
        text = " ".join(describe(rng, person, Visible()))
        facts = shown(person, Visible())
        assert person.upper.name in text and person.upper.kind in text
        assert (person.lower.kind in text) and (facts["dress"] or person.lower.name in text)
        for name in ("backpack", "handbag", "scarf", "glasses", "beard", "trousers", "shorts"):
            assert (name in text) == facts[name], text
        assert ("shoulder bag" in text) == facts["shoulder_bag"]


def test_captions_do_not_mention_what_is_hidden(people: list[Person]) -> None:
    rng = np.random.default_rng(0)
    for person in people:
        text = " ".join(describe(rng, person, Visible(front=False, lower=False, feet=False)))
        for word in ("glasses", "beard", "print", "trousers", "shorts", "skirt", "shoes", "boots"):
            assert word not in text
    assert describe(rng, people[0], Visible(*[False] * 7)) == NOBODY


def test_occluded_queries_hide_more_than_others(drawn: Path) -> None:
    """Every occluded query has something in front; the lower body often disappears."""
    world = World(2, "campus", 128, 64)
    hidden = {"plain": 0, "occluded": 0}
    for identity in range(40):
        for kind in hidden:
            shot = Shot("", identity, identity, 1 + identity % 3, 0, kind)
            hidden[kind] += not render(world, shot)[1].lower
    assert hidden["occluded"] > 15 > hidden["plain"]
    captions = json.loads((drawn / "captions.json").read_text())
    assert sum(path.startswith("occluded/Occluded_Duke/query/") for path in captions) == 6 * 3


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "person"])
def test_every_kind_of_occluder_hides_something_but_not_all(kind: str) -> None:
    for number in range(20):
        cover = draw_occluder(np.random.default_rng(number), kind, 128, 64)[3]
        assert 0.06 < cover.mean() < 0.75 and cover.max() > 0.95


def test_one_person_looks_more_alike_than_two_do_under_one_camera() -> None:
    world = World(11, "campus", 128, 64)

    def middle(identity: int, index: int) -> np.ndarray:
        return pixels(world, Shot("", identity, identity, 1, index))[24:110, 22:42].mean((1,))

    same = [np.abs(middle(i, 0) - middle(i, 1)).mean() for i in range(30)]
    other = [np.abs(middle(i, 0) - middle(i + 1, 1)).mean() for i in range(30)]
    assert np.median(same) < 0.75 * np.median(other)


def test_the_background_does_not_tell_the_person() -> None:
    """Corners of one person's pictures are no closer than corners of two people's."""
    world = World(11, "campus", 128, 64)

    def corner(identity: int, index: int) -> np.ndarray:
        return pixels(world, Shot("", identity, identity, 1, index))[:24, :10].mean((0, 1))

    same = [np.abs(corner(i, 0) - corner(i, 1)).mean() for i in range(60)]
    other = [np.abs(corner(i, 0) - corner(i + 1, 1)).mean() for i in range(60)]
    assert np.mean(same) > 0.75 * np.mean(other)


def test_cameras_see_one_person_in_different_colours() -> None:
    world = World(0, "campus", 128, 64)
    means = [pixels(world, Shot("", 1, 1, c, 0))[40:60, 26:38].mean((0, 1)) for c in range(1, 7)]
    assert np.std(means, axis=0).max() > 8


def test_cameras_of_a_lobby_differ_far_less_in_colour() -> None:
    spread = {}
    for name in ("campus", "lobby"):
        world = World(0, name, 128, 64)
        shots = ([Shot("", i, i, c, 0) for i in range(6)] for c in range(1, 7))
        means = [
            np.mean([pixels(world, s).mean((0, 1)) for s in camera], axis=0) for camera in shots
        ]
        spread[name] = np.std(means, axis=0).mean()
    assert spread["lobby"] < 0.6 * spread["campus"]


def test_domains_differ_in_light_and_clothes() -> None:
    light = {}
    for name in DOMAINS:
        world = World(0, name, 128, 64)
        shots = [Shot("", i, i, 1 + i % 6, 0) for i in range(24)]
        light[name] = np.mean([pixels(world, shot).mean() for shot in shots])
    assert light["night"] < 0.75 * light["campus"]
    assert light["winter"] > 1.05 * light["campus"]
    hats = {
        name: np.mean([truth(sample_person(0, i, domain))["hat"] for i in range(MANY)])
        for name, domain in DOMAINS.items()
    }
    assert hats["winter"] > 2 * hats["campus"] > 2 * hats["indoor"]


def test_domains_hold_different_people_under_the_same_seed() -> None:
    """Otherwise a model of one domain would have met the other's test people."""
    first, second = (World(7, name, 64, 32) for name in ("campus", "night"))
    same = [person_of(first, i).body == person_of(second, i).body for i in range(20)]
    assert not any(same)
