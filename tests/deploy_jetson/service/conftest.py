"""A service to talk to: one in this process with an engine that can be made to fail, and one as a
user runs it, with OpenVINO, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from personvit.core.bundle import write_bundle
from personvit.core.golden import Expectation, array_bytes
from personvit.core.manifest import Bounds, Manifest, Model, Space, TensorSpec, Variant
from personvit.core.models.config import ModelConfig
from personvit.core.models.vit import build
from personvit.core.preprocess import Preprocess
from personvit.deploy_jetson import serve_model, serve_run
from personvit.deploy_jetson.home import Home
from personvit.deploy_jetson.install import InstallOptions, install
from personvit.deploy_jetson.serve_notify import Notifier
from personvit.deploy_jetson.serve_socket import listening
from personvit.engines import base
from personvit.engines.golden import Replay
from personvit.export.graph import GraphSpec, build_graph, serialise

PREPROCESS = Preprocess(height=64, width=32)
WIDTH = 32


class Client(http.client.HTTPConnection):
    """HTTP over a Unix socket, as `curl --unix-socket` does."""

    def __init__(self, path: Path, timeout: float = 30.0) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method: str, path: str, body=b"", headers=None) -> tuple[int, bytes, dict]:
        self.request(method, path, body, headers or {})
        answer = self.getresponse()
        return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}


@pytest.fixture
def client():
    """Ask once, over a connection of its own."""

    def ask(path: Path, method: str, where: str, body=b"", headers=None):
        connection = Client(path)
        try:
            return connection.ask(method, where, body, headers)
        finally:
            connection.close()

    return ask


@pytest.fixture
def short_path():
    """Sockets' names have room for 107 bytes, which pytest's folders may exceed."""
    folder = Path(tempfile.mkdtemp(prefix="pv-"))
    yield folder
    shutil.rmtree(folder)


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.messages: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # closed, when the test is over
            while True:
                self.messages.append(self._socket.recv(4096).decode())

    def count(self, word: str) -> int:
        return sum(word in message.split("\n") for message in self.messages)

    def wait_for(self, word: str, times: int = 1) -> None:
        until(lambda: sum(word in message for message in self.messages) >= times, word)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(short_path):
    listener = Manager(short_path / "notify")
    yield listener
    listener.close()


def until(holds, what: str = "", seconds: float = 60.0) -> None:
    """Wait for something that must come; the limit only ends a test that has failed."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"this never came: {what}"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def wait_until():
    return until


def picture(seed: int, kind: str = "PNG", height: int = 64, width: int = 32) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


@pytest.fixture(scope="session")
def make_picture():
    return picture


def multipart(images: list[bytes]) -> tuple[bytes, dict[str, str]]:
    head = b'Content-Disposition: form-data; name="crop"; filename="crop.png"\r\n\r\n'
    parts = b"".join(b"--mark\r\n" + head + image + b"\r\n" for image in images)
    return parts + b"--mark--\r\n", {"Content-Type": "multipart/form-data; boundary=mark"}


@pytest.fixture(scope="session")
def make_multipart():
    return multipart


class WilfulEngine(base.BaseEngine):
    """Means of each crop's rows, unless it is told to drift, to hang or to fail."""

    inputs = (base.TensorSpec("images", "uint8", (None, 64, 32, 3), "crops"),)
    outputs = (base.TensorSpec("embedding", "float32", (None, WIDTH), "embedding", "space-test"),)
    preprocess = PREPROCESS
    batch = 8

    def __init__(self, name: str = "first") -> None:
        self.name = name
        self.drift = False
        self.failure = ""
        self.go = threading.Event()
        self.go.set()
        self.batches: list[int] = []
        self.was_closed = threading.Event()

    def _run(self, feeds):
        self.go.wait()
        if self.failure:
            raise RuntimeError(self.failure)
        crops = feeds["images"].astype(np.float32)
        self.batches.append(len(crops))
        rows = crops.reshape(len(crops), 32, -1).mean(2) - 100
        return {"embedding": rows[:, ::-1].copy() if self.drift else rows}

    def info(self) -> base.EngineInfo:
        return base.EngineInfo("wilful", {"test": "1"}, "cpu", "any", "fp32", "one at a time")

    def close(self) -> None:
        super().close()
        self.was_closed.set()


def wilful_model(name: str = "first") -> serve_model.Model:
    engine = WilfulEngine(name)
    crops = np.random.default_rng(5).integers(0, 256, (16, 64, 32, 3), dtype=np.uint8)
    crops += np.arange(16, dtype=np.uint8)[:, None, None, None] * 5
    expected = Expectation(engine.embed(crops), Bounds(0.999, 0.01))
    engine.batches.clear()
    facts = dict.fromkeys(("digest", "space_id", "encoder_id", "variant"), f"{name}-id")
    facts |= {"name": name, "slot": name[0], "install": name}
    return serve_model.Model(engine, Replay(crops, expected), 8, facts)


@pytest.fixture
def make_model():
    return wilful_model


class InProcess:
    """The whole service in this process; `talk` runs in a thread of its own meanwhile."""

    def __init__(self, folder: Path, manager: Manager) -> None:
        self.path = folder / "serve.sock"
        self.model = wilful_model()
        self.install = "first"
        self.next: object = None
        self.said: list[str] = []
        self.manager = str(manager.path)

    def reopen(self):
        if isinstance(self.next, Exception):
            raise self.next
        return self.next

    def during(self, talk, **settings) -> tuple[int, bool]:
        chosen = {"test_every_s": 0.05, "look_every_s": 0.02, "drain_s": 20.0, **settings}
        source = serve_run.Source(self.reopen, lambda: self.install)
        notifier = Notifier(self.manager, watchdog_s=3 * chosen["test_every_s"])

        async def both() -> tuple[int, bool]:
            with listening(self.path) as bound:
                life = serve_run.run(
                    source,
                    self.model,
                    bound,
                    serve_run.Settings(**chosen),
                    notifier,
                    self.said.append,
                )
                served = asyncio.ensure_future(life)
                try:
                    await asyncio.to_thread(talk)
                finally:
                    os.kill(os.getpid(), signal.SIGTERM)
                return await served

        return asyncio.run(both())


@pytest.fixture
def service(short_path, manager) -> InProcess:
    return InProcess(short_path, manager)


def small_bundle(path: Path, seed: int) -> Path:
    """A random model of two blocks for the CPU."""
    torch.manual_seed(seed)
    size = {"height_px": 64, "width_px": 32}
    model = build(ModelConfig(width=WIDTH, depth=2, heads=2, **size)).eval()
    crops = np.random.default_rng(1).integers(0, 256, (16, 64, 32, 3), dtype=np.uint8)
    with torch.inference_mode():
        rows = model.embed(torch.from_numpy(PREPROCESS.normalise(crops))).numpy()
    inputs = (TensorSpec("images", "uint8", ("batch", 64, 32, 3), "crops"),)
    outputs = (TensorSpec("embedding", "float32", ("batch", WIDTH), "embedding"),)
    bounds = Bounds(0.99, 0.01)
    manifest = Manifest(
        tool="0.1.0",
        name=f"small {seed}",
        model=Model("small", model.config.to_dict()),
        preprocess=PREPROCESS,
        space=Space(f"{seed:02x}" * 32, "before", WIDTH),
        variants=(Variant("cpu", "cpu", "fp16", "fp32", 20, inputs, outputs, bounds),),
    )
    members = {
        "golden/crops.npy": array_bytes(crops),
        "golden/cpu.npy": array_bytes(rows),
        "variants/cpu/model.onnx": serialise(build_graph(model, PREPROCESS, GraphSpec(), {})),
    }
    write_bundle(path, manifest, members)
    return path


@pytest.fixture(scope="session")
def bundles(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bundles")
    return [small_bundle(folder / f"{seed}.pvb", seed) for seed in (1, 2)]


@pytest.fixture(scope="session")
def installed(bundles, tmp_path_factory) -> Path:
    """A home with both bundles installed, the second one last."""
    path = tmp_path_factory.mktemp("installed") / "home"
    for bundle in bundles:
        install(InstallOptions(bundle=bundle, home=path, runtime="openvino"))
    return path


@pytest.fixture
def home(short_path, installed) -> Home:
    """A copy of it in which slot a serves, with the first bundle."""
    shutil.copytree(installed, short_path / "home", symlinks=True)
    found = Home(short_path / "home")
    found.switch(found.slot("a"))
    return found


class Running:
    """`personvit-deploy serve` in a process of its own."""

    def __init__(self, home: Home, manager: Manager, *words: str, watchdog_us: int = 0) -> None:
        self.path = home.path / "serve.sock"
        environment = {**os.environ, "NOTIFY_SOCKET": str(manager.path), "OMP_NUM_THREADS": "1"}
        environment.pop("RUNTIME_DIRECTORY", None)
        if watchdog_us:
            environment["WATCHDOG_USEC"] = str(watchdog_us)
        before = manager.count("READY=1")
        program = "from personvit.deploy_jetson.cli import main; main()"
        command = [sys.executable, "-c", program, "serve", "--home", str(home.path), *words]
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        until(self._started(manager, before), "READY=1")

    def _started(self, manager: Manager, before: int):
        def holds() -> bool:
            assert self.process.poll() is None, self.process.communicate()[1]
            return manager.count("READY=1") > before

        return holds

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def run_service(home, manager):
    started: list[Running] = []

    def start(*words: str, **how) -> Running:
        started.append(Running(home, manager, *words, **how))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()
