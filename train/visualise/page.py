"""All pictures on one HTML page that needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .drawing import part_colours

Pixels = NDArray[np.uint8]

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
section { margin: 0 0 1.5rem } h2 { font-size: 1rem; overflow-wrap: anywhere; margin: 0 0 .4rem }
.row { display: flex; flex-wrap: wrap; gap: .5rem }
figure { margin: 0; width: 8rem } img { width: 100%; display: block; image-rendering: auto }
figcaption, .note { font-size: .85rem; opacity: .8 }
.key span { display: inline-block; padding: 0 .6rem; margin-right: .3rem; color: #000 }
""".strip()


@dataclass(frozen=True)
class Row:
    """One crop with its pictures, each under a caption."""

    name: str
    pictures: tuple[tuple[str, Pixels], ...]


@dataclass(frozen=True)
class Page:
    title: str
    facts: Sequence[str]
    notes: Sequence[str]
    parts: int
    rows: Sequence[Row]


def as_html(page: Page) -> str:
    """The page as text."""
    facts = "".join(f"<p>{escape(fact)}</p>" for fact in page.facts)
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in page.notes)
    rows = "\n".join(_section(row) for row in page.rows)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(page.title)}</title><style>\n{STYLE}\n</style></head>\n<body>"
        f"<h1>{escape(page.title)}</h1>{facts}{notes}{_key(page.parts)}\n{rows}\n</body></html>\n"
    )


def png(picture: Pixels) -> bytes:
    """The same bytes for the same pixels."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png", optimize=False)
    return buffer.getvalue()


def _section(row: Row) -> str:
    figures = "".join(_figure(caption, picture) for caption, picture in row.pictures)
    return f'<section><h2>{escape(row.name)}</h2><div class="row">{figures}</div></section>'


def _figure(caption: str, picture: Pixels) -> str:
    data = base64.b64encode(png(picture)).decode()
    text = escape(caption)
    return (
        f'<figure><img alt="{text}" src="data:image/png;base64,{data}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _key(parts: int) -> str:
    if not parts:
        return ""
    patches = "".join(
        f'<span style="background:rgb{colour}">{number}</span>'
        for number, colour in enumerate(part_colours(parts), 1)
    )
    return f'<p class="key">Parts, from top to bottom: {patches}</p>'
