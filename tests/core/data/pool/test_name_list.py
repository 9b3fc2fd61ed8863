"""Published lists are read, and a pickle never runs anything."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personvit.core.data.pool.name_list import names_in
from personvit.core.errors import DataError

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=30)


@given(names=NAMES, protocol=st.integers(0, 5), container=st.sampled_from([list, tuple]))
def test_a_pickled_list_reads_as_pickle_reads_it(names, protocol, container, tmp_path_factory):
    path = tmp_path_factory.mktemp("list") / "keys.pkl"
    value = container(names + names[:2])  # the same objects twice: stored once, referred to later
    path.write_bytes(pickle.dumps(value, protocol))
    assert list(names_in(path)) == list(value)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_bytes_are_names_too(protocol, tmp_path):
    path = tmp_path / "keys.pkl"
    path.write_bytes(pickle.dumps([b"00_00", b"00_01"], protocol))
    assert list(names_in(path)) == ["00_00", "00_01"]


def test_a_list_that_python_2_wrote_reads(tmp_path):
    path = tmp_path / "keys.pkl"
    path.write_bytes(b"\x80\x02]q\x01(U\x04a.jpq\x02U\x04b.jpq\x03h\x02e.")
    assert list(names_in(path)) == ["a.jp", "b.jp", "a.jp"]


class Evil:
    def __reduce__(self):
        return os.mkdir, (os.environ["PERSONVIT_TRAP"],)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(
    protocol, tmp_path, monkeypatch
):
    trap = tmp_path / "trap"
    monkeypatch.setenv("PERSONVIT_TRAP", str(trap))
    path = tmp_path / "keys.pkl"
    path.write_bytes(pickle.dumps(["a", Evil()], protocol))
    with pytest.raises(DataError, match="something else than strings"):
        list(names_in(path))
    assert not trap.exists()


@pytest.mark.parametrize(
    "value", [{"a": 1}, [1, 2], ["a", ["b"]], "a", [("a", "b")], np.array(["a", "b"]), None, [None]]
)
def test_other_pickles_are_refused(value, tmp_path):
    path = tmp_path / "keys.pkl"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(DataError, match="one flat list"):
        list(names_in(path))


@pytest.mark.parametrize("cut", [0, 1, 20, -1])
def test_a_cut_off_pickle_is_told(cut, tmp_path):
    path = tmp_path / "keys.pkl"
    path.write_bytes(pickle.dumps(["alpha", "beta", "gamma"])[:cut])
    with pytest.raises(DataError, match="get it again"):
        list(names_in(path))


def test_a_text_list_skips_empty_lines_and_remarks(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("# best first\nb c.jpg\r\n\na.jpg")
    assert list(names_in(path)) == ["b c.jpg", "a.jpg"]


def test_an_empty_list_and_an_unknown_suffix_are_told(tmp_path):
    (tmp_path / "list.txt").write_text("\n# nothing\n")
    with pytest.raises(DataError, match="no names"):
        list(names_in(tmp_path / "list.txt"))
    with pytest.raises(DataError, match="rename it"):
        list(names_in(tmp_path / "list.csv"))
