"""The page's sections on how the verdict came about, on accuracy and on latency."""

from __future__ import annotations

from collections import Counter

from .charts import Range, range_chart
from .comparison import TABLE
from .latency import Latency, Timing
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
    signed,
    stack,
    table,
)
from .report_data import ReportData
from .verdict import Check, Verdict


def decision(data: ReportData) -> Markup:
    """The first check as a picture, all of them as a table."""
    verdict = data.verdict
    lead = (
        "The estimate, and the range it lies in with 95 % confidence on each side, against the "
        "limit. A pass needs the whole range inside, a failure needs it outside; between the two, "
        "the data cannot tell."
    )
    drawn = _range(verdict.checks[0]) if verdict.checks else Markup("")
    return section("decision", "How it was decided", columns(drawn, _checks(verdict)), lead=lead)


def accuracy(data: ReportData) -> Markup:
    scored = [each for each in (_accuracy_card(data), _mixed(data)) if each.text]
    timed = _latency_card(data)
    if not (scored or timed.text):
        return Markup("")
    both = bool(scored and timed.text)
    parts = columns(stack(*scored), timed, uneven=True) if both else columns(*scored, timed)
    return section("accuracy", "Accuracy and latency", parts)


def _range(check: Check) -> Markup:
    ideal = 0.0 if check.unit == "points" else 1.0
    ends = (check.estimate, check.lower, check.upper, check.limit)
    value = Range(*ends, ideal, check.decision)
    words = (
        f"estimate {check.estimate:.3f}, from {check.lower:.3f} to {check.upper:.3f}, "
        f"limit {check.limit:.3f} {check.unit}: {check.decision}"
    )
    chart = range_chart(
        "range", check.name, words, value, f"{check.name}, {check.unit}", "not allowed", "allowed"
    )
    return element("div", [figure(chart, f"{check.name}: {check.test}.")], class_="card")


def _checks(verdict: Verdict) -> Markup:
    rows: list[list[Content]] = [
        [
            check.name,
            signed(check.estimate, 3) if check.unit == "points" else f"{check.estimate:.3f}",
            f"{check.error:.3f}",
            f"{check.resolves:.3f}",
            element("span", check.decision, class_=f"word {check.decision}"),
        ]
        for check in verdict.checks
    ]
    head = ("check", "estimate", "standard error", "resolves", "")
    people = "identities" if verdict.kind == "accuracy" else "groups"
    what = "queries" if verdict.kind == "accuracy" else "crops"
    size = f"{verdict.samples:,} {what}"
    if verdict.clusters != verdict.samples:
        size += f" of {verdict.clusters:,} {people}"
    notes = [
        f"“Resolves”: the smallest loss that {verdict.samples:,} {what} show four times in five.",
        *(f"{check.name}: {check.test}." for check in verdict.checks[1:]),
        f"Bootstrap with {verdict.resamples:,} resamples, seed {verdict.seed}.",
    ]
    text = joined(*(paragraph(note, "quiet") for note in notes))
    return element("div", [table(size, head, rows), text], class_="card")


def _accuracy_card(data: ReportData) -> Markup:
    if data.scores is None:
        return Markup("")
    before, after = data.scores.reference, data.scores.candidate
    rows: list[list[Content]] = []
    for key, title in TABLE:
        old, new = 100 * before.mean(key), 100 * after.mean(key)
        rows.append([title, f"{old:.2f}", f"{new:.2f}", signed(new - old)])
    scored = before.n_queries - before.n_skipped
    body = table(f"{scored:,} queries, percent", ("", data.before, data.after, "change"), rows)
    return card("Accuracy", body, _flips(data))


def _flips(data: ReportData) -> Markup:
    if data.flips is None:
        return Markup("")
    lost, won = len(data.flips.right_to_wrong), len(data.flips.wrong_to_right)
    return paragraph(
        f"First answers that changed: {lost} from right to wrong, {won} from wrong to right.",
        "quiet",
    )


def _latency_card(data: ReportData) -> Markup:
    latency = data.latency
    if latency is None:
        return Markup("")
    tails = any(timing.p99 is not None for timing in latency.timings)
    rows = [_latency_row(latency, timing, tails) for timing in latency.timings]
    calls = Counter(timing.calls for timing in latency.timings).most_common(1)[0][0]
    head = ("engine", "batch", "median", "faster", "CPU", "p90", *(("p99",) if tails else ()))
    body = table(f"milliseconds per crop, {calls} calls each, in turns", head, rows)
    how = (
        f"“Faster”: how many times faster than {latency.baseline} in the same round, with the 10th "
        "to 90th percentile over rounds. CPU: processor time of all threads together."
    )
    load = f"load average {latency.setting.load} before, {latency.load_after} after"
    where = f"{latency.setting.machine.cpu}, {latency.setting.machine.cores} cores; {load}."
    return card("Latency", body, paragraph(how, "quiet"), paragraph(where, "quiet"))


def _latency_row(latency: Latency, timing: Timing, tails: bool) -> list[Content]:
    ratio: Content = "1.00"
    for each in latency.speedups:
        if (each.name, each.batch) == (timing.name, timing.batch):
            spread = element("span", f"{each.low:.2f} to {each.high:.2f}", class_="range-of")
            ratio = joined(element("b", f"{each.median:.2f}"), spread)
    per_crop = [ms / timing.batch for ms in (timing.median, timing.cpu, timing.p90)]
    median, cpu, p90 = (f"{ms:.2f}" for ms in per_crop)
    row: list[Content] = [timing.name, str(timing.batch), median, ratio, cpu, p90]
    if tails:
        row.append("" if timing.p99 is None else f"{timing.p99 / timing.batch:.2f}")
    return row


def _mixed(data: ReportData) -> Markup:
    """Which model embeds the queries and which the gallery."""
    if data.scores is None:
        return Markup("")
    runs = data.scores
    pairs = (
        (data.before, data.before, runs.reference),
        (data.after, data.before, runs.candidate_on_reference),
        (data.before, data.after, runs.reference_on_candidate),
        (data.after, data.after, runs.candidate),
    )
    base = runs.reference.mean_ap
    rows = [
        [
            f"{query} on {gallery}",
            f"{100 * run.mean_ap:.2f}",
            signed(100 * (run.mean_ap - base)),
            f"{100 * run.rank(1):.2f}",
        ]
        for query, gallery, run in pairs
    ]
    body = table("queries on gallery, percent", ("", "mAP", "change", "Rank-1"), rows)
    why = (
        "A gallery is often older than the model in a camera. If these rows agree, a gallery of "
        f"{data.before} embeddings can be kept."
    )
    return card("Mixed galleries", body, paragraph(why, "quiet"))
