"""An ARM userland under qemu-user: the wheelhouse installed offline there, and a bundle served.

Debian's own packages, unpacked and entered through a user namespace that has its own register of
foreign programs, so nothing of this machine changes. PERSONVIT_AARCH64_ROOT names a folder in which
the userland is kept from night to night.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from personvit.deploy_jetson.cli import main
from personvit.deploy_jetson.wheelhouse import WheelhouseOptions, wheelhouse

RELEASE, PYTHON, GLIBC = "bookworm", "3.11", "2.36"
EMULATOR = "qemu-aarch64-static"
NEEDED = (EMULATOR, "debootstrap", "dpkg-deb", "unshare", "chroot")
# The header of an ARM64 ELF file and the bits of it that count, as binfmt_misc(5) wants them.
MAGIC = r"\x7fELF\x02\x01\x01" + r"\x00" * 9 + r"\x02\x00\xb7\x00"
MASK = r"\xff" * 7 + r"\x00" + r"\xff" * 8 + r"\xfe\xff\xff\xff"
ENTER = r"""
set -e
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf '%s' "$RULE" > /proc/sys/fs/binfmt_misc/register
for place in proc sys dev; do mount --rbind "/$place" "$1/$place"; done
exec chroot "$@"
"""


class Userland:
    """A root folder whose programs are ARM's."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str) -> subprocess.CompletedProcess:
        rule = f":aarch64:M::{MAGIC}:{MASK}:{shutil.which(EMULATOR)}:F"
        inside = ["/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/trial"]
        words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", ENTER, "enter"]
        return subprocess.run(
            [*words, str(self.root), *inside, "PIP_NO_INDEX=1", *command],
            env={**os.environ, "RULE": rule},
            capture_output=True,
            text=True,
        )

    def must(self, *command: str) -> str:
        done = self.run(*command)
        assert done.returncode == 0, f"{command}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


def made(root: Path) -> Userland:
    """Unpacked, not configured: Python runs without its packages' scripts."""
    stamp = root / "unpacked"
    if not stamp.exists():
        shutil.rmtree(root, ignore_errors=True)
        words = ["--foreign", "--arch=arm64", "--variant=minbase", "--include=python3"]
        done = subprocess.run(
            ["debootstrap", *words, RELEASE, str(root)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"debootstrap cannot fetch {RELEASE}: {done.stdout.strip()[-200:]}")
        for package in sorted(root.glob("var/cache/apt/archives/*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
        stamp.touch()
    return Userland(root)


@pytest.fixture(scope="module")
def userland(tmp_path_factory) -> Userland:
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        pytest.skip(f"not here: {', '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("debootstrap needs root")
    kept = os.environ.get("PERSONVIT_AARCH64_ROOT")
    found = made(Path(kept) if kept else tmp_path_factory.mktemp("aarch64") / "root")
    tried = found.run("/usr/bin/uname", "-m")
    if tried.returncode:
        pytest.skip(f"this machine lets no user namespace run ARM programs: {tried.stderr.strip()}")
    assert tried.stdout.strip() == "aarch64"
    shutil.rmtree(found.root / "trial", ignore_errors=True)
    (found.root / "trial").mkdir()
    return found


@pytest.fixture(scope="module")
def installed_wheels(userland) -> str:
    """What install.sh printed."""
    wheelhouse(
        WheelhouseOptions(
            out=userland.root / "trial/wheelhouse", python=PYTHON, glibc=GLIBC, extra=("openvino",)
        )
    )
    return userland.must("/bin/sh", "/trial/wheelhouse/install.sh", "/trial/venv")


@pytest.fixture(scope="module")
def signed(userland, bundles) -> None:
    work = userland.root / "trial"
    shutil.copy(bundles[0], work / "model.pvb")
    assert main.run(["keygen", str(work / "fleet")]) == 0
    assert main.run(["sign", str(work / "model.pvb"), "--key", str(work / "fleet")]) == 0
    (work / "fleet").unlink()


DEPLOY = "/trial/venv/bin/personvit-deploy"
HOME = ("--home", "/trial/home")


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() == "aarch64", reason="ARM programs need no emulator here")
def test_a_bundle_goes_from_the_wheelhouse_to_served_on_arm(
    userland, installed_wheels, signed
) -> None:
    assert "aarch64" in installed_wheels
    assert "Ready: openvino serves bundles on the processor." in installed_wheels
    program = "from personvit.core.bundle import verify; from pathlib import Path; "
    program += "print(verify(Path('/trial/model.pvb')).as_text())"
    assert "whole and unchanged" in userland.must("/trial/venv/bin/python", "-c", program)
    userland.must(DEPLOY, "trust", "/trial/fleet.pub", *HOME)
    said = userland.must(DEPLOY, "install", "/trial/model.pvb", *HOME)
    assert "serves from slot a" in said
    assert "slot a is sound" in userland.must(DEPLOY, "serve", "--check", *HOME)

    signature = userland.root / "trial/model.pvb.sig"
    signature.rename(signature.with_name("away"))
    refused = userland.run(DEPLOY, "install", "/trial/model.pvb", "--again", *HOME)
    assert refused.returncode == 1
    assert "is not signed" in refused.stderr
    assert "slot a is sound" in userland.must(DEPLOY, "serve", "--check", *HOME)
