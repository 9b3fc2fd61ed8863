"""A folder of one's own: the split is fair, steady, and every query can be found."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from personvit.core.data.catalogue import open_dataset
from personvit.core.data.labelled_folder import _queries, is_train

cameras = st.dictionaries(
    st.text("abc", min_size=1), st.lists(st.integers(0, 99), min_size=1, unique=True).map(sorted)
)


def test_the_split_is_pinned_and_fair() -> None:
    """Numbers measured on one version must hold for the next."""
    assert [is_train(name) for name in ("anna", "ben", "chloe", "dan", "eve")] == [
        *[True, True],
        *[False, False, False],
    ]
    assert 900 < sum(is_train(f"{number:04d}") for number in range(2000)) < 1100


def test_new_people_move_nobody(people: Path) -> None:
    before = open_dataset(people)
    (people / "anna").rename(people / "zoe")
    (people / "aaron").mkdir()
    (people / "aaron" / "attic_1.jpg").touch()
    after = open_dataset(people)
    for split, samples in before.splits().items():
        kept = [sample.path for sample in samples if not sample.path.startswith("anna/")]
        assert set(kept) <= {sample.path for sample in after.splits()[split]}


@given(found=cameras)
def test_every_query_has_a_match_in_another_camera(found: dict[str, list[int]]) -> None:
    people = {
        camera: [f"{camera}_{number}" for number in inside] for camera, inside in found.items()
    }
    queries = _queries(people)
    gallery = {camera: set(paths) - queries for camera, paths in people.items()}
    for query in queries:
        own = query.split("_")[0]
        assert any(paths for camera, paths in gallery.items() if camera != own)
    assert bool(queries) == (len(people) > 1)


def test_names_without_a_camera_and_strays_are_listed(people: Path) -> None:
    from personvit.core.data.labelled_folder import FORMAT

    (people / "stray.jpg").touch()
    (people / "eve" / "portrait.jpg").touch()
    left = {item.path: item.reason for item in FORMAT.load(people).left_out}
    assert left == {"stray.jpg": "unknown name", "eve/portrait.jpg": "unknown name"}
