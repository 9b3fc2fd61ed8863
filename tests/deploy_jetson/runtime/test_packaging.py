"""What is installed is enough for another project, and the Debian package says what it needs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "build/host"
INSTALLED = (
    "bin/pv-bench",
    "bin/pv-embed",
    "bin/pv-search",
    "include/personvit/personvit.h",
    "include/personvit/personvit.hpp",
    "lib/cmake/personvit/personvitConfig.cmake",
    "lib/libpersonvit.so",
)


def run(*command: object, **settings: object) -> str:
    done = subprocess.run(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **settings,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def whole_build(native_program: Callable[[str], Path]) -> Path:
    native_program("pv-embed")
    run("cmake", "--build", "--preset", "host", cwd=ROOT)
    return BUILD


@pytest.fixture(scope="module")
def installed(whole_build: Path, tmp_path_factory) -> Path:
    prefix = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", whole_build, "--prefix", prefix)
    return prefix


@pytest.fixture
def people(tmp_path: Path) -> Path:
    folder = tmp_path / "people"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("ada", "ben", "eve"):
        picture = rng.integers(0, 256, (8, 4, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
        Image.fromarray(picture).save(folder / f"{name}.png")
    return folder


def test_everything_is_installed_and_nothing_points_into_the_build(installed: Path) -> None:
    for path in INSTALLED:
        assert (installed / path).exists(), path
    config = "".join(path.read_text() for path in installed.glob("lib/cmake/personvit/*"))
    assert str(ROOT) not in config
    said = run("readelf", "-d", installed / "lib/libpersonvit.so")
    assert str(ROOT) not in said


def test_another_project_finds_a_person_with_what_is_installed(
    installed: Path, small_bundle, people: Path, tmp_path: Path
) -> None:
    bundle, gallery = small_bundle.write(tmp_path / "m.pvb", "fp32"), tmp_path / "people.pvg"
    build = tmp_path / "build"
    run("cmake", "-S", ROOT / "examples/cpp", "-B", build, f"-DCMAKE_PREFIX_PATH={installed}")
    run("cmake", "--build", build)
    run(installed / "bin/pv-search", "build", gallery, people, "--bundle", bundle)
    said = run(build / "find_person", bundle, gallery, people / "eve.png").splitlines()
    assert said[0].startswith("1.0000 ") and "eve" in said[0]
    assert len(said) == 3


def test_the_example_says_what_is_wrong(installed: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    run("cmake", "-S", ROOT / "examples/cpp", "-B", build, f"-DCMAKE_PREFIX_PATH={installed}")
    run("cmake", "--build", build)
    done = subprocess.run(
        [build / "find_person", "none.pvb", "none.pvg", "none.png"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == "find_person: none.pvb: a bundle was expected here, but this is missing\n"


def test_the_debian_package_says_what_it_needs(whole_build: Path, tmp_path: Path) -> None:
    if shutil.which("dpkg-shlibdeps") is None:
        message = "no dpkg-shlibdeps: apt install dpkg-dev"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    run("cpack", "-G", "DEB", "-B", tmp_path, "--config", whole_build / "CPackConfig.cmake")
    (package,) = tmp_path.glob("personvit-runtime_*.deb")
    needs = run("dpkg-deb", "-f", package, "Depends")
    for library in ("libc6", "libssl3", "libpng16-16", "zlib1g"):
        assert library in needs
    run("dpkg-deb", "-x", package, tmp_path / "root")
    root = tmp_path / "root/usr"
    for path in INSTALLED:
        assert (root / path).exists(), path
    assert "pv-embed" in run(root / "bin/pv-embed", "--help")
