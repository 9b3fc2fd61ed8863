"""Domains: what people wear, how the light falls and how far cameras differ, under one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...errors import ConfigError


@dataclass(frozen=True)
class Domain:
    """Every number that decides how hard the data is and how it looks."""

    name: str
    scenes: tuple[str, ...] = ("pavement", "asphalt", "lawn", "plaza")

    camera_shift: float = 1.0
    """Strength of the colour, gamma and saturation differences between cameras; 0 is none."""
    palette_concentration: float = 0.75
    """How strongly people prefer the same few colours; 0 is uniform."""
    garment_jitter: float = 0.09
    """How far two garments of the same colour name may differ."""

    exposure: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    ambient: float = 0.56
    diffuse: float = 0.5
    noise: tuple[float, float] = (1.5, 6.0)
    blur: tuple[float, float] = (0.0, 0.9)
    quality: tuple[int, int] = (55, 92)
    light_spread: float = 0.14
    """Brightness differences between two pictures of one camera."""

    bystanders: float = 0.22
    occluders: float = 0.10
    box_jitter: float = 1.0

    uppers: Mapping[str, float] = field(
        default_factory=lambda: {
            "t-shirt": 0.27,
            "shirt": 0.17,
            "hoodie": 0.17,
            "jacket": 0.2,
            "coat": 0.08,
            "dress": 0.11,
        }
    )
    lowers: Mapping[str, float] = field(
        default_factory=lambda: {"trousers": 0.62, "shorts": 0.24, "skirt": 0.14}
    )
    bags: Mapping[str, float] = field(
        default_factory=lambda: {
            "none": 0.42,
            "backpack": 0.26,
            "shoulder bag": 0.18,
            "handbag": 0.14,
        }
    )
    hats: Mapping[str, float] = field(
        default_factory=lambda: {"none": 0.78, "cap": 0.15, "beanie": 0.07}
    )
    scarf: float = 0.05
    glasses: float = 0.25


DOMAINS: Mapping[str, Domain] = {
    domain.name: domain
    for domain in (
        Domain("campus"),
        Domain(
            "night",
            scenes=("asphalt", "pavement", "plaza"),
            exposure=0.6,
            tint=(1.12, 0.96, 0.74),
            ambient=0.42,
            diffuse=0.66,
            noise=(6.0, 13.0),
            blur=(0.3, 1.3),
            quality=(40, 80),
            light_spread=0.22,
            camera_shift=1.15,
            palette_concentration=0.95,
            hats={"none": 0.74, "cap": 0.14, "beanie": 0.12},
        ),
        Domain(
            "indoor",
            scenes=("corridor", "hall", "shop"),
            exposure=0.94,
            tint=(1.06, 1.0, 0.88),
            ambient=0.7,
            diffuse=0.34,
            noise=(2.0, 5.0),
            camera_shift=0.8,
            palette_concentration=0.65,
            occluders=0.14,
            hats={"none": 0.93, "cap": 0.05, "beanie": 0.02},
            bags={"none": 0.36, "backpack": 0.18, "shoulder bag": 0.22, "handbag": 0.24},
        ),
        Domain(
            "winter",
            scenes=("snow", "slush"),
            exposure=1.08,
            tint=(0.93, 0.99, 1.1),
            ambient=0.66,
            diffuse=0.36,
            palette_concentration=1.1,
            uppers={"hoodie": 0.12, "jacket": 0.44, "coat": 0.38, "shirt": 0.06},
            lowers={"trousers": 0.93, "skirt": 0.07},
            hats={"none": 0.36, "cap": 0.1, "beanie": 0.54},
            scarf=0.4,
            glasses=0.18,
        ),
        Domain(
            "lobby",
            scenes=("hall",),
            exposure=1.0,
            ambient=0.7,
            diffuse=0.34,
            camera_shift=0.3,
            noise=(1.5, 3.0),
            blur=(0.0, 0.4),
            quality=(75, 92),
            light_spread=0.08,
            bystanders=0.1,
            occluders=0.05,
        ),
    )
}


def domain_of(name: str) -> Domain:
    if name not in DOMAINS:
        raise ConfigError(f"there is no domain {name!r}; choose one of {', '.join(DOMAINS)}")
    return DOMAINS[name]
