"""pv-embed, pv-search and pv-bench give what Python gives, and end as the house's commands do."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from personvit import __version__
from personvit.benchmark.cli import main as personvit_benchmark
from personvit.benchmark.latency import Speedup, Timing
from personvit.core.bundle import Bundle
from personvit.core.images import read_image
from personvit.core.machine import Machine
from personvit.core.preprocess import Preprocess
from personvit.engines.cli import main as personvit_engine
from personvit.engines.embed_files import images_in

PREPROCESS = Preprocess(height=32, width=16)
DIMENSION = 24
PROGRAMS = ("pv-embed", "pv-search", "pv-bench")
TINY = Path(__file__).parents[3] / "deploy_jetson/runtime/tests/data/tiny.pvb"


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Native:
    built: Callable[[str], Path]

    def __call__(self, program: str, *words: object, given: str = "") -> Answer:
        command = [self.built(program), *map(str, words)]
        done = subprocess.run(command, input=given, capture_output=True, text=True)
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def native(native_program) -> Native:
    return Native(cache(native_program))


@pytest.fixture(scope="session")
def fake(shared):
    return shared("deploy_jetson/runtime/fake_model.py")


@pytest.fixture(scope="session")
def bundle(fake, tmp_path_factory) -> Path:
    return fake.write(tmp_path_factory.mktemp("fake") / "fake.pvb", PREPROCESS, DIMENSION)


@pytest.fixture
def people(tmp_path) -> Path:
    """Twenty pictures of many sizes and kinds, whose order by name is not that of the folders."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "people"
    for nth in range(20):
        height, width = (int(side) for side in rng.integers(9, 90, 2))
        picture = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        place = folder / ("b" if nth % 3 else "a-b") / f"{nth:02d}{('.jpg', '.PNG')[nth % 2]}"
        place.parent.mkdir(parents=True, exist_ok=True)
        (picture.convert("L") if nth % 5 == 0 else picture).save(place)
    (folder / "notes.txt").write_text("no image")
    return folder


def expected(fake, paths: Sequence[Path]) -> NDArray[np.float32]:
    crops = np.stack([PREPROCESS.resize(read_image(path)) for path in paths])
    return fake.embed(crops, DIMENSION)


def alike(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    assert ((found * wanted).sum(axis=1) / lengths).min() >= 0.9999


def only(folder: Path, *names: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_folder_becomes_a_matrix_in_the_order_of_python(native, fake, bundle, people, tmp_path):
    out = tmp_path / "out" / "e.npy"
    done = native("pv-embed", bundle, people, "-o", out, "--backend", "fake")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{out}: 20 embeddings of {DIMENSION} values\n"
    paths = images_in((people,))
    beside = json.loads(out.with_name("e.npy.json").read_text())
    assert beside["images"] == [str(path) for path in paths]
    assert beside["preprocess"] == PREPROCESS.to_dict()
    assert beside["space"] == Bundle.open(bundle).manifest.space.id
    alike(np.load(out), expected(fake, paths))
    only(out.parent, "e.npy", "e.npy.json")


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_json_lines_hold_the_same_numbers(native, fake, bundle, people, batch):
    done = native("pv-embed", bundle, people, "--jsonl", "--backend", "fake", "--batch", batch)
    lines = [json.loads(line) for line in done.out.splitlines()]
    paths = images_in((people,))
    assert [line["path"] for line in lines] == [str(path) for path in paths]
    assert {line["space"] for line in lines} == {Bundle.open(bundle).manifest.space.id}
    assert all(line["encoder"].startswith("encoder-") for line in lines)
    alike(np.array([line["embedding"] for line in lines], "f4"), expected(fake, paths))


def test_a_list_comes_from_standard_input_in_its_own_order(native, bundle, people):
    paths = [str(path) for path in images_in((people,))][::-1]
    done = native(
        *("pv-embed", bundle, "-", "--jsonl", "--backend", "fake"), given="\n".join(paths) + "\n"
    )
    assert [json.loads(line)["path"] for line in done.out.splitlines()] == paths


def test_a_bad_image_ends_it_with_the_words_of_python_and_leaves_nothing(
    native, bundle, people, tmp_path
):
    (people / "c.jpg").write_text("<html>")
    out = tmp_path / "out" / "e.npy"
    done = native("pv-embed", bundle, people, "-o", out, "--backend", "fake")
    with pytest.raises(Exception) as said:
        read_image(people / "c.jpg")
    assert (done.code, done.out, done.err) == (1, "", f"error: {said.value}\n")
    only(out.parent)


def test_bad_images_are_left_out_and_listed_where_asked(native, fake, bundle, people, tmp_path):
    good = images_in((people,))
    (people / "a-a.jpg").write_text("<html>")
    (people / "z.png").write_bytes(b"")
    out = tmp_path / "e.npy"
    done = native("pv-embed", bundle, people, "-o", out, "--backend", "fake", "--skip-bad")
    assert done.code == 0
    assert "skipped 2 bad images:\n" in done.out
    beside = json.loads(out.with_name("e.npy.json").read_text())
    assert [Path(bad["path"]).name for bad in beside["bad"]["images"]] == ["a-a.jpg", "z.png"]
    assert beside["images"] == [str(path) for path in good]
    alike(np.load(out), expected(fake, good))


def test_nothing_good_is_an_empty_matrix(native, bundle, tmp_path):
    (tmp_path / "x.jpg").write_text("nothing")
    out = tmp_path / "e.npy"
    words = ("pv-embed", bundle, tmp_path / "x.jpg", "-o", out, "--backend", "fake", "--skip-bad")
    assert native(*words).code == 0
    assert np.load(out).shape == (0, DIMENSION)


def test_it_stops_when_asked_to(native, bundle, people):
    many = "\n".join([str(images_in((people,))[0])] * 20_000)
    command = [native.built("pv-embed"), bundle, "-", "--jsonl", "--backend", "fake"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        process.stdin.write(many)
        process.stdin.close()
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        for _ in process.stdout:
            pass
        assert process.wait() == 130
        assert process.stderr.read() == "error: interrupted; nothing half-written was left\n"


def test_it_stops_while_nobody_reads_its_lines(native, bundle, people):
    many = "\n".join([str(images_in((people,))[0])] * 20_000)
    command = [native.built("pv-embed"), bundle, "-", "--jsonl", "--backend", "fake"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        process.stdin.write(many)
        process.stdin.close()
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130


def test_closed_streams_do_not_become_the_output_file(native, fake, bundle, people, tmp_path):
    paths = [images_in((people,))[0]] * 300
    out = tmp_path / "e.npy"
    words = ("--json", "--backend", "fake", "-o", str(out))
    line = [str(native.built("pv-embed")), str(bundle), *map(str, paths), *words]
    done = subprocess.run(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *line], check=False)
    assert done.returncode == 1
    alike(np.load(out), expected(fake, paths))


def test_a_matrix_never_stands_beside_the_list_of_another(native, bundle, people, tmp_path):
    out = tmp_path / ("e" * 245 + ".npy")
    first, second = images_in((people,))[:2]
    words = ("-o", out, "--backend", "fake")
    assert native("pv-embed", bundle, first, *words).code == 0
    only(tmp_path, out.name, out.name + ".json", "people")
    longer = out.with_name("e" * 250 + ".npy")
    refused = native("pv-embed", bundle, second, "-o", longer, "--backend", "fake")
    assert refused.code == 1
    assert "choose a shorter name" in refused.err
    out.with_name(out.name + ".json").unlink()
    out.with_name(out.name + ".json").mkdir()
    before = out.read_bytes()
    assert native("pv-embed", bundle, second, *words).code == 1
    assert out.read_bytes() == before


def test_a_closed_pipe_ends_it_quietly(native, bundle, people):
    many = "\n".join([str(images_in((people,))[0])] * 20_000)
    command = [native.built("pv-embed"), bundle, "-", "--jsonl", "--backend", "fake"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        process.stdin.write(many)
        process.stdin.close()
        process.stdout.readline()
        process.stdout.close()
        assert process.wait() == 1
        assert process.stderr.read() == ""


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_version_and_no_words(native, program):
    assert native(program, "--help").out.startswith(f"Usage: {program} ")
    assert "Example: " in native(program, "--help").out
    assert native(program, "--version").out == f"{program}, version {__version__}\n"
    alone = native(program)
    assert (alone.code, alone.out) == (1, "")
    assert alone.err.startswith("error: ") and alone.err.count("\n") == 1


@pytest.mark.parametrize(
    "words, said",
    [
        (("m.pvb", "x.jpg"), "-o NAME.npy"),
        (("m.pvb", "x.jpg", "--jsonl", "--fast"), "no such option: --fast"),
        (("m.pvb", "x.jpg", "--jsonl", "--batch", "0"), "--batch takes a whole number from 1 to"),
        (("m.pvb", "x.jpg", "--jsonl", "--batch"), "option --batch requires a value"),
        (("m.pvb", "/no/x.jpg", "--jsonl"), "/no/x.jpg: no such file or folder"),
        (("/no/m.pvb", __file__, "--jsonl"), "/no/m.pvb: "),
        ((TINY, __file__, "--jsonl", "--signature", "x"), "--signature is checked with --key"),
        ((TINY, __file__, "--jsonl", "--backend", "abacus"), "there is no backend 'abacus'"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(native, words, said):
    done = native("pv-embed", *words)
    assert (done.code, done.out) == (1, "")
    assert said in done.err and done.err.startswith("error: ") and done.err.count("\n") == 1


def test_drift_is_the_machine_s_fault(native):
    done = native("pv-embed", TINY, __file__, "--jsonl", "--backend", "fake")
    assert done.code == 3
    assert "golden" in done.err


@pytest.mark.parametrize(
    "given, said",
    [("a.jpg\0b.jpg\0", "the list holds a zero byte"), (None, "standard input cannot be read")],
)
def test_a_list_that_is_none_is_refused(native, given, said):
    line = [native.built("pv-embed"), TINY, "-", "--jsonl"]
    with Path(os.devnull).open("wb") as wrong_way_round:
        source = {"input": given} if given else {"stdin": wrong_way_round}
        done = subprocess.run(line, **source, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr


def test_a_gallery_takes_no_other_file_s_place(native, bundle, people, tmp_path):
    photo, other = images_in((people,))[:2]
    before = photo.read_bytes()
    words = ("--bundle", bundle, "--backend", "fake")
    assert "would be lost" in native("pv-search", "build", photo, other, *words).err
    assert photo.read_bytes() == before
    os.mkfifo(tmp_path / "pipe")
    assert native("pv-search", "build", tmp_path / "pipe", other, *words).code == 1
    assert (tmp_path / "pipe").is_fifo()


def test_a_bundle_must_be_signed_where_a_key_is_pinned(native, bundle):
    key = TINY.with_suffix(".pub")
    done = native("pv-embed", bundle, __file__, "--jsonl", "--backend", "fake", "--key", key)
    assert done.code == 1
    assert ".sig" in done.err


def test_a_gallery_of_images_knows_its_people(native, bundle, people, tmp_path):
    gallery, paths = tmp_path / "g.pvg", [str(path) for path in images_in((people,))]
    words = ("--bundle", bundle, "--backend", "fake")
    for store in ("int8", "float32"):
        built = native("pv-search", "build", gallery, people, "--store", store, *words)
        assert built.out == f"{gallery}: 20 vectors of {DIMENSION} values, {store}\n"
        found = native("pv-search", "query", gallery, people, "-k", 3, "--json", *words)
        answers = json.loads(found.out)["queries"]
        assert [one["hits"][0]["label"] for one in answers] == paths
        assert all(len(one["hits"]) == 3 and one["known"] for one in answers)


def test_a_gallery_of_vectors_has_labels_of_a_file_and_strangers(native, tmp_path):
    space = Bundle.open(TINY).manifest.space.id
    vectors = np.eye(4, dtype=np.float32)[:3]
    names = ["ada", "ben", "eve"]
    for name, values in (("rows", vectors), ("query", np.array([[1, 0.1, 0, 0], [0, 0, 0, 1]]))):
        np.save(tmp_path / f"{name}.npy", values.astype(np.float32))
        facts = {"space": space, "images": [str(nth) for nth in range(len(values))]}
        (tmp_path / f"{name}.npy.json").write_text(json.dumps(facts))
    (tmp_path / "names.txt").write_text("\n".join(names))
    gallery = tmp_path / "g.pvg"
    words = ("build", gallery, "--from", tmp_path / "rows.npy", "--store", "float32")
    labels = ("--labels", tmp_path / "names.txt")
    assert native("pv-search", *words, *labels).code == 0
    query = ("pv-search", "query", gallery, "--from", tmp_path / "query.npy")
    found = native(*query, "--bundle", TINY, "--far", "0.001", "-k", 2)
    assert found.out == "0\n 0.9950  ada\n1: unknown\n"
    known = json.loads(native(*query, "--threshold", "0.05", "--json").out)["queries"][0]
    assert [hit["label"] for hit in known["hits"] if hit["accepted"]] == ["ada", "ben"]
    refused = native(*query, "--bundle", TINY, "--far", "0.5")
    assert refused.code == 1
    assert "choose one of 0.001" in refused.err


def test_vectors_of_another_space_are_refused(native, bundle, people, tmp_path):
    gallery = tmp_path / "g.pvg"
    words = ("--bundle", bundle, "--backend", "fake")
    assert native("pv-search", "build", gallery, people, *words).code == 0
    np.save(tmp_path / "q.npy", np.ones((1, DIMENSION), np.float32))
    facts = {"space": "space-" + "0" * 32, "images": ["x"]}
    (tmp_path / "q.npy.json").write_text(json.dumps(facts))
    done = native("pv-search", "query", gallery, "--from", tmp_path / "q.npy")
    assert done.code == 1
    assert "space-" in done.err


def test_bench_names_things_as_the_benchmark_room_does(native, bundle, people, tmp_path, capsys):
    out = tmp_path / "speed.json"
    words = ("--backend", "fake", "--rounds", 2, "--batches", "1,4", "-o", out)
    done = native("pv-bench", bundle, people, *words)
    assert done.code == 0
    report = json.loads(out.read_text())
    timings = [Timing(**each) for each in report["milliseconds"]]
    speedups = [Speedup(**each) for each in report["speedups"]]
    assert [(each.name, each.batch) for each in timings] == [
        (name, size) for size in (4, 1) for name in ("engine", "end to end")
    ]
    assert all(0 < each.median <= each.p90 and each.calls == 6 for each in timings)
    assert {each.over for each in speedups} == {report["baseline"]} == {"engine"}
    assert report["machine"].keys() == {
        "instruction_class",
        *(field.name for field in dataclasses.fields(Machine)),
    }
    assert report["memory_bytes"]["peak"] >= report["memory_bytes"]["resident"] > 0
    assert report["start_ms"]["to_first_embedding"] > 0
    assert personvit_benchmark.run(["native", str(out)]) == 0
    assert "end to end (fake" in capsys.readouterr().out


def test_openvino_answers_as_python_does(native, small_bundle, people, tmp_path):
    pytest.importorskip("openvino")
    model = small_bundle.write(tmp_path / "m.pvb", "int8")
    ours, theirs = tmp_path / "ours.npy", tmp_path / "theirs.npy"
    assert native("pv-embed", model, people, "-o", ours, "--cache", tmp_path / "cache").code == 0
    assert personvit_engine.run(["run", str(model), str(people), "-o", str(theirs)]) == 0
    alike(np.load(ours), np.load(theirs))
    one, two = (json.loads(Path(f"{path}.json").read_text()) for path in (ours, theirs))
    assert [one[key] for key in ("images", "space", "preprocess")] == [
        two[key] for key in ("images", "space", "preprocess")
    ]
    again = tmp_path / "again.npy"
    assert native("pv-embed", model, people, "-o", again, "--cache", tmp_path / "cache").code == 0
    assert np.array_equal(np.load(ours), np.load(again))
