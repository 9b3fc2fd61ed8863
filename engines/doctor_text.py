"""The doctor's report as a person reads it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from .device_facts import DeviceFacts
from .doctor_finding import Finding
from .doctor_runtimes import Runtime
from .known_bad_row import Row

WIDTH = 98
HEADINGS = {"must": "Do this first", "should": "Do this too", "note": "Good to know"}
ROW_HEADINGS: Mapping[str, Callable[[Row], bool]] = {
    "Avoid": lambda row: row.workaround == "avoid",
    "Done by itself when an engine is built": lambda row: row.applied,
    "Look out": lambda row: row.workaround == "none",
}
PROVISO = (
    "reports of others, not run by us: the golden crops and the probe decide, see docs/doctor.md"
)


def written(
    root: Path,
    device: DeviceFacts,
    bundle: Path | None,
    runtimes: Sequence[Runtime],
    findings: Sequence[Finding],
    rows: Sequence[Row],
    serves: Runtime | None,
) -> str:
    blocks = [
        _device(root, device),
        _runtimes(runtimes),
        _bundle(bundle, runtimes) if bundle else [],
        *(list(_findings(findings, level)) for level in HEADINGS),
        list(_rows(rows)),
        _verdict(device, bundle, serves),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _device(root: Path, device: DeviceFacts) -> list[str]:
    elsewhere = [] if root == Path("/") else [f"  (as {root} describes it)"]
    return [
        line for part in device.as_text().splitlines() for line in _wrapped(part, 2)
    ] + elsewhere


def _runtimes(runtimes: Sequence[Runtime]) -> list[str]:
    wide = max(len(one.name) for one in runtimes)
    lines = ["Engines for bundles"]
    for one in runtimes:
        state = "can run here" if one.usable else one.remedy
        if one.variants is None and one.target and (one.usable or one.name == "tensorrt"):
            state += f"; export for it with --target {one.target}"
        mark = "+" if one.usable else "-"
        lines += _wrapped(f"  {mark} {one.name:<{wide}}  {state}", wide + 6)
    return lines


def _bundle(bundle: Path, runtimes: Sequence[Runtime]) -> list[str]:
    lines = [str(bundle)]
    for one in runtimes:
        if one.variants:
            verb = "takes" if one.usable else "would take"
            lines += _wrapped(f"  {one.name} {verb} {', '.join(one.variants)}", 4)
        elif one.target:
            lacks = f"{one.name} finds nothing for it ({' or '.join(one.kinds)})"
            lines += _wrapped(f"  {lacks}: export the weights with --target {one.target}", 4)
    return lines


def _findings(findings: Sequence[Finding], level: str) -> Iterator[str]:
    chosen = [one for one in findings if one.level == level]
    if chosen:
        yield HEADINGS[level]
    for one in chosen:
        yield from _wrapped(f"  * {one.says}", 4)
        if one.mend:
            yield from _wrapped(f"    > {one.mend}", 6)


def _rows(rows: Sequence[Row]) -> Iterator[str]:
    if not rows:
        return
    yield from _wrapped(f"Known to go wrong with this toolchain ({PROVISO})", 2)
    for heading, belongs in ROW_HEADINGS.items():
        chosen = [row for row in rows if belongs(row) and not row.settled]
        if chosen:
            yield f"  {heading}"
        for row in chosen:
            yield from _wrapped(f"  * {row.title}", 4)
            yield from _wrapped(f"    > {row.mend}", 6)
            yield f"      {row.id}, {row.date}: {row.sources[0]}"
    if settled := [row.id for row in rows if row.settled]:
        yield from _wrapped(f"  Cannot happen to a bundle's graphs: {', '.join(settled)}", 4)


def _verdict(device: DeviceFacts, bundle: Path | None, serves: Runtime | None) -> list[str]:
    what = str(bundle) if bundle else "bundles"
    if serves is None:
        return _wrapped(f"Not ready: nothing here can serve {what}; see above.", 2)
    if serves.name.startswith("tensorrt"):
        return _wrapped(f"Ready: {serves.name} serves {what} on the GPU.", 2)
    wait = "" if device.kind == "cpu" else "; the GPU waits for what is said above"
    return _wrapped(f"Ready: {serves.name} serves {what} on the processor{wait}.", 2)


def _wrapped(line: str, hang: int) -> list[str]:
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=" " * hang, break_long_words=False, break_on_hyphens=False
    )
