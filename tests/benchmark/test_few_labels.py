"""A data set of few people is that of the last call, whatever was there before."""

from personvit.benchmark.few_labels import SPLITS, link_few


def test_fewer_people_than_before_leave_none_of_the_others(tmp_path):
    data, few = tmp_path / "data", tmp_path / "few"
    for split in SPLITS:
        (data / split).mkdir(parents=True)
        for person in range(6):
            (data / split / f"{person:04d}_c1s1_000001_00.jpg").write_bytes(b"x")
    link_few(data, few, 5)
    link_few(data, few, 2)
    assert len(list((few / SPLITS[0]).iterdir())) == 2
    assert all(len(list((few / split).iterdir())) == 6 for split in SPLITS[1:])
