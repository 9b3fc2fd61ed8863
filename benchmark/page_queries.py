"""The page's section of pictures: the queries that lost most, and what both models answered."""

from __future__ import annotations

from .page_parts import Markup, element, joined, paragraph, section
from .pictures import data_uri
from .report_data import Answer, ChangedQuery, Picture, ReportData

_QUERY_HEIGHT = 192
_ANSWER_HEIGHT = 128


def changed(data: ReportData) -> Markup:
    if not data.changed:
        return Markup("")
    lead = (
        "The queries that lost most average precision, worst first. A full border with a tick is "
        "the right person, a dashed one with a cross somebody else."
    )
    cards = [_query(each, data) for each in data.changed]
    body = element("div", [joined(*cards)], class_="queries")
    return section("changed", "Where it hurts most", body, lead=lead)


def _query(each: ChangedQuery, data: ReportData) -> Markup:
    fall = element("span", f"AP {100 * each.before_ap:.1f} → {100 * each.after_ap:.1f} %")
    title = element("h3", [each.name, fall])
    asked = element("figure", [_image(each.picture, _QUERY_HEIGHT, "query")], class_="shot asked")
    answers = joined(
        paragraph(f"{data.before} answered", "row"),
        _answers(each.before),
        paragraph(f"{data.after} answers", "row"),
        _answers(each.after),
    )
    return element("article", [title, asked, element("div", [answers])], class_="card query")


def _answers(answers: tuple[Answer, ...]) -> Markup:
    shots = [_answer(answer, place) for place, answer in enumerate(answers, 1)]
    return element("div", shots, class_="answers")


def _answer(answer: Answer, place: int) -> Markup:
    kind, sign = ("right", "✓") if answer.right else ("wrong", "✗")
    image = _image(answer.picture, _ANSWER_HEIGHT, f"answer {place}, {kind}")
    badge = element("b", sign, aria_hidden="true")
    return element("figure", [image, badge], class_=f"shot {kind}")


def _image(picture: Picture, height: int, words: str) -> Markup:
    address, width = data_uri(picture, height)
    tall = min(height, picture.shape[0])
    return Markup(f'<img src="{address}" width="{width}" height="{tall}" alt="{words}">')
