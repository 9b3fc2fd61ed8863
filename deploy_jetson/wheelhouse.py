"""`personvit-deploy wheelhouse`: everything a device without a network installs from."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path
from typing import Any, Literal

import click

from ..core.command import option
from ..core.errors import ConfigError, EnvironmentMismatch
from ..core.files import replacing_folder, sha256

SUMS = "SHA256SUMS"
OUTSIDE = ("tests", "docs", "examples", "build", "dist", "__pycache__", "*.egg-info", ".*")


@dataclass(frozen=True)
class System:
    """What comes with a Python on the boards this is for."""

    name: str
    glibc: int
    """The minor version of glibc 2, up to which wheels may ask for one."""
    cuda: str
    dockerfile: str = ""


JETPACKS = {
    "3.10": System("JetPack 6 (Ubuntu 22.04)", 35, "cuda-bindings>=12.6,<13", "jetpack6"),
    "3.12": System("JetPack 7 (Ubuntu 24.04)", 39, "cuda-bindings>=13,<14", "jetpack7"),
}
OLDEST_GLIBC = 17
"""That of manylinux2014; older wheels are for Pythons that are no longer supported."""
OTHER = System("any Linux since 2021", 31, "")


@dataclass(frozen=True)
class WheelhouseOptions:
    """Gather this package and all it needs in a folder, with a script that installs it offline.

    Example: personvit-deploy wheelhouse -o wheelhouse --python 3.10
    """

    out: Path | None = option(None, "The folder to make, which must be new or empty.")
    python: str = option("3.10", "The device's Python: 3.10 on JetPack 6, 3.12 on JetPack 7.")
    arch: Literal["aarch64", "x86_64"] = option("aarch64", "The device's processor.")
    extra: tuple[str, ...] = option(
        (), "More to bring: an extra of this package, or one package of any, such as openvino."
    )
    glibc: str | None = option(None, "The device's glibc, such as 2.36; by default by its Python.")
    wheel: Path | None = option(None, "This package's wheel, instead of building one.")


@dataclass(frozen=True)
class Wheelhouse:
    path: Path
    target: str
    wheels: tuple[str, ...]
    size: int

    def as_json(self) -> Mapping[str, Any]:
        return {
            "wheelhouse": str(self.path),
            "target": self.target,
            "wheels": list(self.wheels),
            "size": self.size,
        }

    def as_text(self) -> str:
        return (
            f"{self.path}: {len(self.wheels)} wheels, {self.size / 2**20:.0f} MiB, for "
            f"{self.target}\ncopy the folder to the device, then: sh {self.path.name}/install.sh"
        )


def wheelhouse(options: WheelhouseOptions) -> Wheelhouse:
    if options.out is None:
        raise ConfigError("say which folder to make: -o DIR")
    system = _system(options)
    with replacing_folder(options.out) as folder:
        wheels = folder / "wheels"
        wheels.mkdir()
        own = _own_wheel(options.wheel, wheels)
        wanted = _wanted(own, options, system)
        _say(f"downloading for Python {options.python} on {options.arch}")
        _download([str(own), *wanted, "pip"], options, system, wheels)
        _write_files(folder, own, wanted, options, system)
        names = tuple(sorted(path.name for path in wheels.iterdir()))
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    target = f"Python {options.python} on {options.arch}, {system.name}"
    return Wheelhouse(options.out, target, names, size)


def _system(options: WheelhouseOptions) -> System:
    if not re.fullmatch(r"3\.\d{1,2}", options.python) or int(options.python[2:]) < 10:
        raise ConfigError(f"--python is {options.python!r}; give 3.10 or a later one")
    known = JETPACKS.get(options.python, OTHER) if options.arch == "aarch64" else OTHER
    if options.glibc is None:
        return known
    if not re.fullmatch(r"2\.\d{1,2}", options.glibc):
        raise ConfigError(f"--glibc is {options.glibc!r}; give it as ldd --version does: 2.35")
    name = f"glibc {options.glibc}"
    return System(name, int(options.glibc[2:]), known.cuda, known.dockerfile)


def _own_wheel(given: Path | None, wheels: Path) -> Path:
    if given is not None:
        if not given.is_file() or not given.name.startswith("personvit-"):
            raise ConfigError(f"{given} is no wheel of personvit")
        return Path(shutil.copy(given, wheels))
    source = Path(__file__).resolve().parents[1]
    if not (source / "pyproject.toml").is_file():
        raise ConfigError(
            "this personvit was installed from a wheel, so there is nothing to build one from; "
            "say --wheel personvit-....whl"
        )
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place, "personvit")  # a build leaves folders behind in its source
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*OUTSIDE))
        _pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(copy))
    return next(wheels.glob("personvit-*.whl"))


def _wanted(own: Path, options: WheelhouseOptions, system: System) -> list[str]:
    """What is brought beside the package itself and what that needs."""
    offered = dict(_offered(own))
    found = [system.cuda] if system.cuda else []
    for name in options.extra:
        of_extra = [line for (extra, _), line in offered.items() if extra == name]
        of_package = [line for (_, package), line in offered.items() if package == name]
        if not of_extra and not of_package:
            known = ", ".join(sorted({extra for extra, _ in offered}))
            raise ConfigError(f"--extra {name}: no such package and no such extra ({known})")
        found += of_extra or of_package[:1]
    return list(dict.fromkeys(found))


def _offered(own: Path) -> Iterator[tuple[tuple[str, str], str]]:
    """((extra, package), requirement) for every optional package that the wheel names."""
    with zipfile.ZipFile(own) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    for line in metadata.get_all("Requires-Dist") or []:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra == [\"']([\w-]+)[\"']", marker)
        package = re.match(r"[\w.-]+", requirement)
        if extra and package and package[0] != "personvit":
            yield (extra[1], package[0]), requirement.strip()


def _download(
    wanted: Sequence[str], options: WheelhouseOptions, system: System, wheels: Path
) -> None:
    """pip takes wheels only where they are for another machine than this one."""
    tags = [f"manylinux_2_{minor}" for minor in range(system.glibc, OLDEST_GLIBC - 1, -1)]
    platforms = [f"--platform={tag}_{options.arch}" for tag in (*tags, "manylinux2014")]
    target = [*platforms, f"--python-version={options.python}", "--implementation=cp"]
    _pip("download", "--only-binary=:all:", *target, "--dest", str(wheels), *wanted)


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = "; ".join(said) or done.stderr.strip()[-300:]
        raise EnvironmentMismatch(f"'pip {words[0]}' could not bring what is needed: {reason}")


def _write_files(
    folder: Path, own: Path, wanted: Sequence[str], options: WheelhouseOptions, system: System
) -> None:
    version = own.name.split("-")[1]
    (folder / "packages.txt").write_text("\n".join([f"personvit=={version}", *wanted]) + "\n")
    here = Path(__file__).parent
    script = (here / "wheels/install.sh").read_text()
    script = script.replace("@PYTHON@", options.python).replace("@ARCH@", options.arch)
    (folder / "install.sh").write_text(script)
    (folder / "install.sh").chmod(0o755)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = [f"{sha256(path)}  {path.relative_to(folder)}\n" for path in paths]
    (folder / SUMS).write_text("".join(sums))
    if system.dockerfile:
        shutil.copy(here / f"containers/{system.dockerfile}.Dockerfile", folder / "Dockerfile")
        shutil.copy(here / "containers/dockerignore", folder / ".dockerignore")


def _say(line: str) -> None:
    click.echo(line, err=True)
