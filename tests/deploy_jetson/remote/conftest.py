"""A device in a box: an sshd on loopback whose sessions see a Jetson's files and their own home.

The user's own ~/.ssh is neither read nor written: server and client have their own keys,
configurations and known hosts. A proxy before the server can drop connections.
Set PERSONVIT_NO_SSHD=1 to leave these tests out on a machine that must not have an ssh server.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from personvit.core.bundle import Bundle, write_bundle
from personvit.deploy_jetson.home import Home

DEPLOY = Path(sys.executable).with_name("personvit-deploy")
SIZE = 3_000_000
QUICKLY = ("--runtime", "openvino", "--variant", "cpu", "--batches", "1")
PRIVSEP = Path("/run/sshd")

collect_ignore_glob = ["test_*.py"] if os.environ.get("PERSONVIT_NO_SSHD") == "1" else []

SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 100
ForceCommand {folder}/session
"""

SESSION = """#!/bin/sh
export HOME={folder} PERSONVIT_HOME={folder}/home PERSONVIT_SYSTEM_ROOT={folder}/system
export PATH={folder}/system/usr/bin:{tools}:$PATH
export XDG_CACHE_HOME={folder}/cache OMP_NUM_THREADS=1
[ -e {folder}/noise ] && echo "Welcome to this device"
cd {folder} && exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
"""

CLIENT = """
Host {name}
  HostName 127.0.0.1
  Port {port}
  User {user}
  HostKeyAlias {name}
  IdentityFile {folder}/client
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  PreferredAuthentications publickey
"""


class Proxy:
    """Forwards to the box, with a pause after each piece if asked.

    Each connection ends after so many bytes to the device, or never.
    """

    def __init__(self, target: int) -> None:
        self.cuts: list[int] = []
        self.pause_s = 0.0
        self.sent: list[int] = []
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            number, cut = len(self.sent), self.cuts.pop(0) if self.cuts else None
            self.sent.append(0)
            for words in ((near, far, number, cut), (far, near, None, None)):
                threading.Thread(target=self._forward, args=words, daemon=True).start()

    def _forward(self, source, target, number, cut) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 14):
                if number is not None:
                    data = data if cut is None else data[: cut - self.sent[number]]
                    self.sent[number] += len(data)
                    time.sleep(self.pause_s)
                target.sendall(data)
                if cut is not None and self.sent[number] >= cut:
                    break
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._server.close()


class Box:
    """One device: its home, its sshd, and the words that reach it."""

    def __init__(self, folder: Path, root: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.home = Home(folder / "home")
        # Measuring energy takes seconds for each candidate, and has its own tests.
        shutil.copytree(root, folder / "system", ignore=shutil.ignore_patterns("tegrastats"))
        self._write_keys()
        self._start()
        self.proxy = Proxy(self.port)
        self.config = folder / "ssh_config"
        self.reach_through(self.proxy.port)

    def deploy(self, *words: str | Path, **how) -> subprocess.CompletedProcess[str]:
        """Run personvit-deploy on this side, as the person at the laptop does."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, **how)

    def push(self, bundle: Path, *words: str, **how) -> subprocess.CompletedProcess[str]:
        return self.deploy("push", bundle, self.name, "--ssh-config", self.config, *words, **how)

    def command(self, *words: str | Path) -> list[str]:
        return [str(DEPLOY), *map(str, words)]

    def here(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run personvit-deploy on the device itself."""
        ssh = ["ssh", "-F", str(self.config), self.name, "personvit-deploy", *map(str, words)]
        return subprocess.run(ssh, capture_output=True, text=True)

    def kill_receivers(self) -> int:
        """Kill what receives on this device, as its kernel would when memory is short."""
        mark, killed = f"PERSONVIT_HOME={self.home.path}\0".encode(), 0
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (place / "cmdline").read_bytes().split(b"\0")
                if b"receive" in words and mark in (place / "environ").read_bytes():
                    os.kill(int(place.name), signal.SIGKILL)
                    killed += 1
        return killed

    def reach_through(self, port: int) -> None:
        user = pwd.getpwuid(os.geteuid()).pw_name
        self._fill("ssh_config", CLIENT, port=port, user=user)

    def trust_host_key(self, text: str) -> None:
        (self.folder / "known_hosts").write_text(f"{self.name} {text}\n")

    def close(self) -> None:
        self.proxy.close()
        self._process.terminate()
        self._process.wait()

    def _write_keys(self) -> None:
        for name in ("host", "client"):
            (self.folder / f"{name}.pub").write_text(new_ssh_key(self.folder / name))
        shutil.copy(self.folder / "client.pub", self.folder / "authorized")
        self.trust_host_key((self.folder / "host.pub").read_text())

    def _start(self) -> None:
        program = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if program is None:
            pytest.fail(
                "these tests need sshd (apt install openssh-server), or PERSONVIT_NO_SSHD=1 to "
                "leave them out"
            )
        if os.geteuid() == 0:
            PRIVSEP.mkdir(exist_ok=True)  # as the distribution's own start of sshd does
        self._fill("session", SESSION, tools=DEPLOY.parent).chmod(0o755)
        log = self.folder / "sshd.log"
        for _ in range(5):  # another program may take the port between the choice and the start
            config = self._configure(program)
            self._process = subprocess.Popen([program, "-D", "-f", str(config), "-E", str(log)])
            if self._answers():
                return
        pytest.fail(f"sshd did not start: {log.read_text()}")

    def _configure(self, program: str) -> Path:
        with socket.create_server(("127.0.0.1", 0)) as chosen:
            self.port = chosen.getsockname()[1]
        config = self._fill("sshd_config", SERVER, port=self.port)
        penalties = "PerSourcePenalties no\n"
        config.write_text(config.read_text() + penalties)
        if subprocess.run([program, "-t", "-f", str(config)], capture_output=True).returncode:
            config.write_text(config.read_text().removesuffix(penalties))  # before OpenSSH 9.8
        return config

    def _answers(self) -> bool:
        end = time.monotonic() + 30
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self._process.poll() is None
            time.sleep(0.02)
        return False

    def _fill(self, name: str, text: str, **words) -> Path:
        path = self.folder / name
        path.write_text(text.format(folder=self.folder, name=self.name, **words).lstrip())
        return path


def new_ssh_key(path: Path) -> str:
    """Write a private key and return the public one."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    path.write_bytes(private)
    path.chmod(0o600)
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return public.decode()


@pytest.fixture
def new_box(tree, tmp_path, monkeypatch):
    """Makes devices; the environment of the person at the laptop names none of them."""
    for name in ("PERSONVIT_HOME", "PERSONVIT_SYSTEM_ROOT", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)
    made: list[Box] = []

    def make(name: str = "box", root: str = "orin-nano-jp62") -> Box:
        folder = tmp_path / name
        folder.mkdir()
        made.append(Box(folder, tree / "tests/boxes" / root, name))
        return made[-1]

    yield make
    for box in made:
        box.close()


@pytest.fixture
def box(new_box) -> Box:
    return new_box()


@pytest.fixture(scope="session")
def bundle(small_bundle, tmp_path_factory) -> Path:
    """Of some size, so that a connection can break in the midst of it."""
    folder = tmp_path_factory.mktemp("bundle")
    small = Bundle.open(small_bundle.write(folder / "thin.pvb", "int8", "fp32"))
    members = {member.name: small.read(member.name) for member in small.manifest.members}
    members["README.md"] = np.random.default_rng(0).bytes(SIZE)
    write_bundle(folder / "small.pvb", dataclasses.replace(small.manifest, members=()), members)
    return folder / "small.pvb"


@pytest.fixture(scope="session")
def quickly() -> tuple[str, ...]:
    """Options of an install that tries one candidate."""
    return QUICKLY


@pytest.fixture
def own_bundle(bundle, tmp_path) -> Path:
    """A copy that a test may sign or spoil."""
    return Path(shutil.copy(bundle, tmp_path / "own.pvb"))


@pytest.fixture
def fleet_key(tmp_path, box) -> Path:
    """A signing key whose public half the device has pinned."""
    assert box.deploy("keygen", tmp_path / "fleet").returncode == 0
    shutil.copy(tmp_path / "fleet.pub", box.folder)
    assert box.here("trust", "fleet.pub").returncode == 0
    return tmp_path / "fleet"
