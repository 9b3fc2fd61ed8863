"""The whole engine, on a pretended GPU with pretended TensorRT of each version's recorded API."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from personvit.core.bundle import Bundle
from personvit.core.preprocess import Preprocess
from personvit.engines.device_memory import device_index
from personvit.engines.layer_report import read_layers

VERSIONS = {
    "10.3": ("Orin:8.7", "trt-decomposed"),
    "10.13": ("Thor:11.0", "trt-decomposed"),
    "10.16": ("Orin:8.7", "trt-attention"),
    "11.1": ("NVIDIA L4:8.9", "trt-attention"),
    "11.4": ("NVIDIA H100:9.0", "trt-attention"),
}
DRIFT = 0.999


@pytest.fixture(scope="module")
def crops(tmp_path_factory, small_bundle) -> Path:
    """The golden crops and others."""
    path = tmp_path_factory.mktemp("crops") / "crops.npy"
    more = np.random.default_rng(3).integers(0, 256, (17, 64, 32, 3), dtype=np.uint8)
    np.save(path, np.concatenate([small_bundle.crops, more]))
    return path


@pytest.fixture
def machine(tmp_path, crops, shared):
    return shared("engines/pretend.py").Pretended(tmp_path, crops)


@pytest.fixture(scope="module")
def wanted(crops, small_bundle) -> np.ndarray:
    """What the torch model makes of the crops."""
    pixels = torch.from_numpy(Preprocess(64, 32).normalise(np.load(crops)))
    with torch.inference_mode():
        return small_bundle.model.embed(pixels).numpy()


def agree(found: np.ndarray, wanted: np.ndarray) -> bool:
    return bool((np.einsum("ij,ij->i", found, wanted[: len(found)]) > DRIFT).all())


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_gives_the_embeddings_of_the_model_at_every_batch(
    machine, bundle, wanted, version
):
    gpu, kind = VERSIONS[version]
    told = replace(machine, version=version, gpu=gpu).open(bundle, counts=[0, 1, 2, 3, 8, 9, 33])
    assert told.error is None
    for count, found in zip((0, 1, 2, 3, 8, 9, 33), told.found, strict=True):
        assert len(found) == count
        assert not count or agree(found, wanted)
    assert machine.graphs() == {digest(bundle, kind)}
    assert read_layers(told.layers).verbosity == "detailed"
    assert told.info["precision"].startswith("int8")
    assert told.info["versions"]["tensorrt"].startswith(version)
    assert told.info["versions"]["cuda-python"]
    assert told.held == 0


def test_one_variant_can_be_named_and_a_wrong_one_is_refused(machine, bundle):
    told = machine.open(bundle, options={"variant": "trt-decomposed-fp16"})
    assert told.info["precision"].startswith("fp16")
    assert not read_layers(told.layers).quantised
    told = machine.open(bundle, options={"variant": "trt-attention"})
    assert "no variant is for this runtime" in told.error
    told = machine.open(bundle, options={"precision": "fp32"})
    assert "holds no fp32 graph" in told.error


def test_the_operator_is_preferred_where_it_is_read_and_the_other_form_can_be_named(
    machine, bundle
):
    newer = replace(machine, version="10.16")
    assert newer.open(bundle).error is None
    assert machine.graphs() == {digest(bundle, "trt-attention")}
    assert newer.open(bundle, options={"variant": "trt-decomposed"}).error is None
    assert machine.graphs() == {
        digest(bundle, name) for name in ("trt-attention", "trt-decomposed")
    }


def test_batches_are_padded_to_the_sizes_that_are_named(machine, bundle, wanted):
    told = machine.open(bundle, options={"buckets": [1, 3]}, counts=[1, 2, 3, 4, 8, 11])
    assert told.sizes == [1, 3, 8]
    assert all(agree(found, wanted) for found in told.found)


def test_several_threads_on_several_streams_get_their_own_answers(machine, bundle, wanted):
    counts = [1, 5, 8, 2, 13, 33, 7, 4] * 3
    told = machine.open(bundle, options={"streams": 3}, counts=counts, threads=6)
    assert [len(found) for found in told.found] == counts
    assert all(agree(found, wanted) for found in told.found)
    assert "3 stream(s)" in told.info["thread_safety"]
    assert told.held == 0


@pytest.mark.parametrize(
    ("change", "note"),
    [({"pycuda": True}, "pycuda has no CUDA graphs"), ({"fault": "no-graphs"}, "Unsupported")],
)
def test_without_cuda_graphs_it_runs_and_says_so(machine, bundle, wanted, change, note):
    told = replace(machine, **change).open(bundle, counts=[1, 8, 33], threads=3)
    assert all(agree(found, wanted) for found in told.found)
    assert any(note in one and "without CUDA graphs" in one for one in told.notes)
    assert told.held == 0


@pytest.mark.parametrize("fault", ["permuted", "scaled", "other-weights", "batch-1", "nan"])
def test_an_engine_that_computes_something_else_is_refused(machine, bundle, fault):
    told = replace(machine, fault=fault).open(bundle)
    assert (told.kind, told.exit_code) == ("EnvironmentMismatch", 3)
    assert "does not compute here what it was proven to compute" in told.error
    assert ("at batch 1" in told.error) or fault != "batch-1"
    assert told.held == 0


def test_an_engine_that_is_right_at_batch_1_only_is_refused_too(machine, bundle):
    told = replace(machine, fault="batch-many").open(bundle)
    assert "at batch 8" in told.error


@pytest.mark.parametrize(
    ("version", "fault", "note"),
    [
        ("10.13", "drifts-layernorm", "LayerNorm in FP32"),
        ("10.3", "drifts-typed", "weakly typed"),
        ("10.3", "strong-refused", "weakly typed"),
    ],
)
def test_where_the_first_way_to_build_is_wrong_the_next_is_taken_and_said(
    machine, bundle, wanted, version, fault, note
):
    told = replace(machine, version=version, fault=fault).open(bundle)
    assert told.error is None
    assert agree(told.found[0], wanted)
    assert note in told.notes[0]
    assert any(one.startswith("not strongly typed") for one in told.notes)


def test_the_way_that_served_is_tried_first_the_next_time(machine, bundle, wanted):
    """A build that fails is not tried again at every start of a service."""
    machine = replace(machine, version="10.3", fault="strong-refused")
    options = {"batch": 1}
    first = machine.open(bundle, options=options)
    count = len(machine.builds)
    again = machine.open(bundle, options=options)
    assert count == 2
    assert len(machine.builds) == count
    assert again.notes == first.notes
    (note,) = machine.cache.glob("*.way.json")
    note.write_text("[]")
    assert machine.open(bundle, options=options).notes == first.notes


def test_typing_can_be_named(machine, bundle):
    older = replace(machine, version="10.3")
    told = older.open(bundle, options={"typing": "weak", "batch": 1})
    assert told.notes[0].startswith("built weakly typed")
    assert "builds no weakly typed graphs" in machine.open(bundle, options={"typing": "weak"}).error


def test_under_10_3_what_is_known_to_go_wrong_is_built_around(machine, bundle, wanted):
    fault = "drifts-dynamic,drifts-layernorm"
    told = replace(machine, version="10.3", fault=fault).open(
        bundle, options={"buckets": [1, 4]}, counts=[1, 3, 8, 33]
    )
    assert told.error is None
    assert all(agree(found, wanted) for found in told.found)
    assert told.sizes == [1, 4, 8]
    assert "one plan per batch size, LayerNorm in FP32" in told.notes[0]
    assert any("dynamic" in note for note in told.notes)


def test_a_newer_tensorrt_on_a_jetson_that_it_does_not_support_is_refused(machine, bundle):
    told = replace(machine, version="11.1").open(bundle)
    assert told.exit_code == 3
    assert "do not support Jetson" in told.error


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("refuse", "could not find any implementation"),
        ("crash", "SIGABRT"),
        ("hang", "did not finish within 2 s"),
    ],
)
def test_a_compiler_that_fails_is_told_in_its_own_words(machine, bundle, fault, message):
    told = replace(machine, fault=fault).open(bundle, options={"limit_s": 2.0})
    assert told.exit_code == 3
    assert message in told.error
    assert not list(machine.cache.glob("*.plan*"))


@pytest.mark.parametrize("pycuda", [False, True])
def test_too_little_device_memory_is_told_and_nothing_stays_allocated(machine, bundle, pycuda):
    told = replace(machine, fault="oom", pycuda=pycuda).open(bundle)
    assert told.exit_code == 3
    assert "cudaErrorMemoryAllocation" in told.error
    assert told.held == 0


def test_a_plan_is_built_once_and_used_again(machine, bundle, wanted):
    machine.open(bundle)
    told = machine.open(bundle)
    assert len(machine.builds) == 1
    assert agree(told.found[0], wanted)
    machine.open(bundle, options={"batch": 4})
    assert len(machine.builds) == 2


def test_what_does_not_fit_is_built_anew(machine, bundle):
    machine.open(bundle)
    replace(machine, gpu="Thor:11.0").open(bundle)
    assert len(machine.builds) == 2
    replace(machine, version="10.16").open(bundle, options={"variant": "trt-decomposed"})
    assert len(machine.builds) == 3
    for path in machine.cache.glob("*.plan"):
        path.write_bytes(path.read_bytes()[:-7])
    told = machine.open(bundle)
    assert told.error is None
    assert len(machine.builds) == 4
    machine.open(bundle)
    assert len(machine.builds) == 4


def test_a_plan_that_the_runtime_does_not_take_is_built_anew(machine, bundle):
    """Sidecar and plan agree, and still the bytes are nothing the runtime can load."""
    machine.open(bundle)
    (plan,) = machine.cache.glob("*.plan")
    told = json.loads(sidecar(plan).read_text())
    plan.write_bytes(b"ftrt, but no plan")
    told["plan_sha256"] = sha256(plan)
    sidecar(plan).write_text(json.dumps(told))
    assert machine.open(bundle).error is None
    assert len(machine.builds) == 2


def test_a_bare_plan_runs_where_it_was_built_and_is_refused_elsewhere(machine, bundle, wanted):
    machine.open(bundle)
    (plan,) = machine.cache.glob("*.plan")
    told = machine.open(plan)
    assert agree(told.found[0], wanted)
    assert any("no golden crops" in note for note in told.notes)
    told = replace(machine, gpu="Thor:11.0").open(plan)
    assert told.exit_code == 3
    assert "SM 8.7, and Thor is SM 11.0" in told.error
    told = replace(machine, version="10.16").open(plan)
    assert "built by TensorRT 10.13.3.9" in told.error
    assert "built from an int8 graph" in machine.open(plan, options={"precision": "fp16"}).error


def two_outputs() -> bytes:
    """The mean of each crop's channels, three times: in FP16 as the embedding, and as integers."""
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["mean"], keepdims=0),
        helper.make_node("Cast", ["mean"], ["embedding"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["mean"], ["colours"], to=TensorProto.INT32),
    ]
    graph = helper.make_graph(
        nodes,
        "two",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["batch", 64, 32, 3])],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT16, ["batch", 3]),
            helper.make_tensor_value_info("colours", TensorProto.INT32, ["batch", 3]),
        ],
        [numpy_helper.from_array(np.array([1, 2]), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    facts = {"embedding": "3", "space": "space-1", "int8_layers": "0", "precision": "fp16"}
    facts["preprocess"] = json.dumps(Preprocess(64, 32).to_dict())
    helper.set_model_props(model, {f"personvit.{name}": text for name, text in facts.items()})
    return model.SerializeToString()


def test_outputs_are_given_as_declared_whatever_their_type_and_number(machine, crops, tmp_path):
    """FP16 behind an address that float32 would be read from, and one output more."""
    path, plan = tmp_path / "two.onnx", tmp_path / "two.plan"
    path.write_bytes(two_outputs())
    assert "has the tensors colours, embedding, images" in machine.open(path).error
    words = ["build", str(path), "--runtime", "tensorrt", "--batch", "1,2,4", "-o", str(plan)]
    command = [sys.executable, "-c", "from personvit.engines.cli import main; main()", *words]
    subprocess.run(command, env=machine.variables(), capture_output=True, check=True)
    told = json.loads(sidecar(plan).read_text())
    more = {"name": "colours", "dtype": "int32", "shape": [None, 3], "meaning": "attributes"}
    told["model"]["outputs"].append({**more, "space": None})
    sidecar(plan).write_text(json.dumps(told))
    opened = machine.open(plan, counts=[1, 3, 9])
    mean = np.load(crops).astype(np.float32).mean(axis=(1, 2))
    for found in opened.found:
        np.testing.assert_allclose(found, mean[: len(found)], rtol=1e-3)
    np.testing.assert_array_equal(opened.outputs["colours"], mean[:2].astype(np.int32))


def test_two_processes_at_once_build_once(machine, bundle, wanted):
    slow = replace(machine, fault="slow")
    both = [slow.start(bundle), slow.start(bundle)]
    told = [slow.answer(process) for process in both]
    assert all(agree(one.found[0], wanted) for one in told)
    assert len(machine.builds) == 1


def test_two_builds_never_run_together(machine, bundle):
    slow = replace(machine, fault="slow")
    both = [slow.start(bundle, options={"batch": batch}) for batch in (2, 4)]
    assert [slow.answer(process).error for process in both] == [None, None]
    first, second = sorted(float(line.split()[1]) for line in machine.builds)
    assert second - first >= 2.0


def test_a_kill_in_the_middle_of_a_build_leaves_no_plan_and_no_compiler(machine, bundle):
    process = replace(machine, fault="hang").start(bundle)
    until(lambda: machine.builds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    compiler = int(machine.builds[0].split()[0])
    until(lambda: not alive(compiler))
    assert not list(machine.cache.glob("*.plan*"))
    assert (machine.folder / "cache/personvit/tensorrt/building").exists()
    assert machine.open(bundle).error is None
    assert not (machine.folder / "cache/personvit/tensorrt/building").exists()


def test_a_cache_that_cannot_be_written_costs_a_note_only(machine, bundle, tmp_path):
    (tmp_path / "file").write_text("")
    told = machine.open(bundle, options={"cache": str(tmp_path / "file" / "below")})
    assert told.error is None
    assert any("could not be kept" in note for note in told.notes)


def test_what_was_measured_of_kernels_is_kept_by_compiler_and_device(machine, bundle):
    machine.open(bundle)
    machine.open(bundle, options={"batch": 4})
    (kept,) = machine.cache.glob("*.timing")
    assert kept.name == "tensorrt-10.13.3.9-sm8.7-orin.timing"
    assert b'"kernels": 2' in kept.read_bytes()
    kept.write_bytes(kept.read_bytes().replace(b"10.13", b"10.12"))
    told = machine.open(bundle, options={"batch": 2})
    assert told.error is None
    assert b'"kernels": 1' in kept.read_bytes()


@pytest.mark.parametrize(("gpu", "share"), [("Orin:8.7", 4), ("NVIDIA L4:8.9", 2)])
def test_the_compiler_borrows_a_share_of_what_is_free(machine, bundle, gpu, share):
    told = replace(machine, gpu=gpu)
    told.open(bundle)
    told.open(bundle, options={"batch": 4, "workspace": 1 << 20})
    free = 6 << 30
    assert [int(line.split()[2]) for line in machine.builds] == [free // share, 1 << 20]


def test_the_command_builds_a_plan_for_the_gpu_that_is_here(machine, bundle, tmp_path):
    out = tmp_path / "here.plan"
    words = ["build", str(bundle), "--runtime", "tensorrt", "--batch", "1,2,4", "-o", str(out)]
    command = [sys.executable, "-c", "from personvit.engines.cli import main; main()", *words]
    done = subprocess.run(command, env=machine.variables(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(sidecar(out).read_text())["built_for"]["gpu"] == "Orin"
    assert machine.open(out).sizes == [1, 2, 4]


def test_the_command_heeds_what_is_known_to_go_wrong_here(machine, bundle, tmp_path):
    machine = replace(machine, version="10.3")
    for batch, says in (("1,2,4", "--batch 8,8,8"), ("4,4,4", "LayerNorm")):
        out = tmp_path / "here.plan"
        words = ["build", str(bundle), "--runtime", "tensorrt", "--batch", batch, "-o", str(out)]
        command = [sys.executable, "-c", "from personvit.engines.cli import main; main()", *words]
        done = subprocess.run(command, env=machine.variables(), capture_output=True, check=True)
        assert says in done.stdout.decode()
        told = json.loads(sidecar(out).read_text())
        assert (told["static"], told["fp32_layernorm"]) == (batch == "4,4,4", True)


def test_a_machine_without_a_gpu_says_what_is_missing(machine, bundle):
    told = replace(machine, gpu="none").open(bundle)
    assert (told.kind, told.exit_code) == ("EnvironmentMismatch", 3)
    assert "nvidia-smi" in told.error
    told = replace(machine, fault="old-driver").open(bundle)
    assert "cuda-bindings<13" in told.error


def test_a_device_has_the_name_that_cuda_gives_it(machine, bundle):
    assert device_index("cuda:3") == 3
    for name in ("cpu", "cuda:first"):
        assert "give cuda or cuda:1" in machine.open(bundle, options={"device": name}).error
    assert "choose from cuda:0" in machine.open(bundle, options={"device": "cuda:1"}).error


def test_the_contract_of_every_engine_holds(machine, tree):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "[tensorrt]"]
    done = subprocess.run(
        [*command, str(tree / "tests/engines/test_contract.py")],
        env=machine.variables(),
        cwd=tree,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()[-3000:]
    assert b"5 passed" in done.stdout


def digest(bundle: Path, variant: str) -> str:
    manifest = Bundle.open(bundle).manifest
    return manifest.digest_of(manifest.variant(variant).member)


def sidecar(plan: Path) -> Path:
    return plan.with_name(plan.name + ".json")


def sha256(path: Path) -> str:
    from hashlib import sha256

    return sha256(path.read_bytes()).hexdigest()


def until(happens, limit_s: float = 60.0) -> None:
    end = time.monotonic() + limit_s
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"
