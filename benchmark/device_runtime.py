"""Which runtime serves on this machine, and which variants of a bundle it may try."""

from __future__ import annotations

from ..core.bundle import Bundle
from ..core.errors import BundleError, ConfigError, EnvironmentMismatch
from ..core.manifest import Variant
from ..engines.catalogue import engine_named
from ..engines.doctor_runtimes import ORDER
from ..engines.tensorrt_packages import PACKAGES


def runtime_here() -> str:
    """The first runtime that can run on this machine."""
    reasons = []
    for name in ORDER:
        usable, remedy = engine_named(name).usable()
        if usable:
            return name
        reasons.append(f"{name}: {remedy}")
    raise EnvironmentMismatch(f"no runtime can serve on this machine; {'; '.join(reasons)}")


def runtime_named(name: str) -> str:
    """`auto` or the one that is named, usable here; nothing else is tried in its place."""
    if name == "auto":
        return runtime_here()
    if name not in ORDER:
        raise ConfigError(f"no runtime {name!r} serves bundles; choose auto, {', '.join(ORDER)}")
    usable, remedy = engine_named(name).usable()
    if not usable:
        raise EnvironmentMismatch(f"{name} cannot run here: {remedy}")
    return name


def kinds_for(runtime: str) -> tuple[str, ...]:
    """The forms of a graph that a runtime takes, the preferred one first."""
    package = PACKAGES.get(runtime)
    return package.kinds(package.version()) if package else ("cpu",)


def variants_for(bundle: Bundle, runtime: str) -> tuple[Variant, ...]:
    """Every variant of the bundle that the runtime could serve here."""
    kinds = kinds_for(runtime)
    found = [one for kind in kinds for one in bundle.manifest.variants if one.kind == kind]
    if not found:
        held = ", ".join(sorted({one.kind for one in bundle.manifest.variants}))
        raise BundleError(
            f"{bundle.path} holds nothing for {runtime} (wanted {' or '.join(kinds)}, found "
            f"{held}); export it with the --target of this device (personvit-engine doctor)"
        )
    return tuple(found)
