"""The pieces an HTML page is put together from; every text that comes in is escaped here."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Markup:
    """HTML that is already safe to put into a page."""

    text: str


Content = str | Markup


def safe(content: Content) -> str:
    """Escaped, and with a percent sign kept on the line of its number."""
    if isinstance(content, Markup):
        return content.text
    return html.escape(content).replace(" %", "&nbsp;%")


def element(tag: str, content: Content | Sequence[Content] = "", **attributes: str) -> Markup:
    """`class_` becomes class and `aria_label` becomes aria-label."""
    names = {key: key.rstrip("_").replace("_", "-") for key in attributes}
    told = "".join(f' {names[key]}="{html.escape(value)}"' for key, value in attributes.items())
    parts = [content] if isinstance(content, str | Markup) else content
    return Markup(f"<{tag}{told}>{''.join(map(safe, parts))}</{tag}>")


def joined(*parts: Markup) -> Markup:
    return Markup("\n".join(part.text for part in parts if part.text))


def section(anchor: str, title: str, *parts: Markup, lead: Content = "") -> Markup:
    heading = element("h2", title, id=anchor)
    told = element("p", lead, class_="lead") if safe(lead) else Markup("")
    return element("section", [joined(heading, told, *parts)], aria_labelledby=anchor)


def columns(*parts: Markup, uneven: bool = False) -> Markup:
    """Side by side where there is room; `uneven` gives the second the larger part."""
    return element("div", [joined(*parts)], class_="columns uneven" if uneven else "columns")


def stack(*parts: Markup) -> Markup:
    return element("div", [joined(*parts)], class_="stack")


def card(title: str, *parts: Markup) -> Markup:
    return element("div", [joined(element("h3", title), *parts)], class_="card")


def table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[Content]], *, text: int = 1
) -> Markup:
    """The first `text` columns read as words, the others as numbers."""
    kinds = ["words" if nth < text else "number" for nth in range(len(head))]
    heads = [
        element("th", name, scope="col", class_=kind)
        for name, kind in zip(head, kinds, strict=True)
    ]
    body = [_row(row, kinds) for row in rows]
    parts = (
        element("caption", caption),
        element("thead", [element("tr", heads)]),
        element("tbody", body),
    )
    frame = element("table", [joined(*parts)])
    return element("div", [frame], class_="scroll", role="region", tabindex="0", aria_label=caption)


def _row(cells: Sequence[Content], kinds: Sequence[str]) -> Markup:
    first = element("th", cells[0], scope="row", class_="words")
    rest = [
        element("td", cell, class_=kind) for cell, kind in zip(cells[1:], kinds[1:], strict=True)
    ]
    return element("tr", [first, *rest])


def figure(drawing: Markup, caption: Content) -> Markup:
    return element("figure", [drawing, element("figcaption", caption)])


def paragraph(content: Content, kind: str = "") -> Markup:
    return element("p", content, **({"class_": kind} if kind else {}))


def size_of(size: int) -> str:
    """Bytes as a person reads them."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def signed(value: float, digits: int = 2) -> str:
    """With a real minus sign, and no sign on a zero."""
    shown = f"{abs(value):.{digits}f}"
    if float(shown) == 0:
        return shown
    return ("+" if value > 0 else "\N{MINUS SIGN}") + shown
