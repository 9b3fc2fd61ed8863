"""The package list, the tree and the built wheel say the same."""

from __future__ import annotations

import zipfile
from pathlib import Path

import tomllib

OUTSIDE = {"tests", "docs", "examples", "build", "dist"}


def packages_in(tree: Path) -> dict[str, Path]:
    found = {"personvit": tree}
    for marker in tree.rglob("__init__.py"):
        parts = marker.parent.relative_to(tree).parts
        if parts and not parts[0].startswith(".") and parts[0] not in OUTSIDE:
            found[".".join(("personvit", *parts))] = marker.parent
    return found


def project(tree: Path) -> dict:
    return tomllib.loads((tree / "pyproject.toml").read_text())


def expected_members(tree: Path) -> set[str]:
    setuptools = project(tree)["tool"]["setuptools"]
    members = set()
    for name, folder in packages_in(tree).items():
        patterns = ["*.py", *setuptools["package-data"].get(name, [])]
        files = {path.relative_to(folder) for pattern in patterns for path in folder.glob(pattern)}
        members |= {"/".join((*name.split("."), *file.parts)) for file in files}
    return members


def test_package_list_equals_the_tree(tree: Path) -> None:
    assert sorted(project(tree)["tool"]["setuptools"]["packages"]) == sorted(packages_in(tree))


def test_the_wheel_holds_exactly_the_package(tree: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        members = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert members == expected_members(tree)


def test_every_python_file_of_the_tree_is_in_a_package(tree: Path) -> None:
    folders = set(packages_in(tree).values())
    for path in tree.rglob("*.py"):
        top = path.relative_to(tree).parts[0]
        if not top.startswith(".") and top not in OUTSIDE:
            assert path.parent in folders, f"{path} has no __init__.py beside it"
