"""The page's sections on layers: which suffer from INT8, and proof that attention is fused."""

from __future__ import annotations

from .charts import Bar, bar_chart
from .page_parts import (
    Content,
    Markup,
    card,
    columns,
    element,
    figure,
    joined,
    paragraph,
    section,
    table,
)
from .report_data import FusionProof, ReportData

_MOST_BARS = 16


def sensitivity(data: ReportData) -> Markup:
    if not data.sensitivity:
        return Markup("")
    shown = data.sensitivity[:_MOST_BARS]
    bars = [
        Bar(each.layer, each.error, f"{each.error:.2g}", "protected" if each.protected else "")
        for each in shown
    ]
    words = "; ".join(f"{each.layer} {each.error:.2g}" for each in shown)
    chart = bar_chart("layers", "Error of each layer when it alone is quantised", words, bars)
    items = [("plain", "quantised"), ("protected", "kept in higher precision")]
    key = element(
        "ul",
        [element("li", [element("i", class_=kind), name]) for kind, name in items],
        class_="key",
    )
    more = len(data.sensitivity) - len(shown)
    caption = f"The {len(shown)} worst; {more} more are smaller." if more else "Worst first."
    drawn = element("div", [figure(chart, caption), key], class_="card")
    body = columns(drawn, card("What the recipe does with it", *_recipe(data)))
    return section("sensitivity", "Which layers suffer", body)


def _recipe(data: ReportData) -> list[Markup]:
    how = (
        "Each layer was quantised alone and the embeddings of training people compared with the "
        f"ones before; the error is {data.sensitivity_unit}. No image of the gate was looked at."
    )
    kept = [each.layer for each in data.sensitivity if each.protected]
    if not kept:
        return [paragraph(how), paragraph("No layer needed higher precision.")]
    names = element("ul", [element("li", element("code", name)) for name in kept])
    share = f"{len(kept)} of {len(data.sensitivity)} layers are kept in higher precision:"
    return [paragraph(how), paragraph(share), names]


def fusion(data: ReportData) -> Markup:
    if not data.fusion:
        return Markup("")
    head = (
        "architecture",
        "variant",
        "fused",
        "built",
        "Attention nodes",
        "decomposable",
        "FP32 refused",
    )
    rows = [_fusion_row(each) for each in data.fusion]
    body = table("one row per architecture that was asked for", head, rows, text=3)
    lead = (
        "Proved means: NVIDIA's compiler built the plan for this architecture, every Attention "
        "node is there, none may be decomposed, and the same graph in FP32 was refused, so the "
        "compiler does refuse what it cannot fuse. Elsewhere fusion is checked at install."
    )
    return section("fusion", "Fused attention", element("div", [body], class_="card"), lead=lead)


def _fusion_row(each: FusionProof) -> list[Content]:
    if each.proved is None:
        word, kind = "checked at install", "undecided"
    else:
        word, kind = ("proved", "pass") if each.proved else ("not proved", "fail")
    said = element("span", word, class_=f"word {kind}")
    if each.note:
        said = joined(said, element("span", each.note, class_="range-of"))
    variant = element("span", each.variant, class_="nobreak")
    if each.proved is None:
        return [each.architecture, variant, said, "", "", "", ""]
    nodes = f"{each.attention_nodes} of {each.expected_nodes}"
    refused = "" if each.fp32_refused is None else _yes(each.fp32_refused)
    return [
        each.architecture,
        variant,
        said,
        _yes(each.built),
        nodes,
        str(each.decomposable_nodes),
        refused,
    ]


def _yes(value: bool) -> str:
    return "yes" if value else "no"
