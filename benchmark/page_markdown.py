"""The report as Markdown: the same facts as the page, without the pictures."""

from __future__ import annotations

from collections.abc import Sequence

from .comparison import TABLE
from .page_candidates import HEAD, cells, explained
from .page_parts import signed, size_of
from .report_data import ReportData
from .thresholds import Threshold


def as_markdown(data: ReportData) -> str:
    """Verdict first; what `data` lacks is left out."""
    parts = (
        f"# {_cell(data.title)}",
        _cell(data.subject),
        f"**{_cell(data.verdict.sentence)}** (rule: `{_code(data.verdict.rule)}`)",
        _checks(data),
        _candidates(data),
        _variants(data),
        _accuracy(data),
        _mixed(data),
        _latency(data),
        _thresholds(data),
        _cosines(data),
        _sensitivity(data),
        _fusion(data),
        _changed(data),
        _setting(data),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    rule = ["---", *("---:" for _ in head[1:])]
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in (head, rule, *rows)]
    return f"## {_cell(title)}\n\n" + "\n".join(lines)


def _cell(text: str) -> str:
    """A text that neither ends its cell nor becomes markup."""
    for mark in ("\\", "|", "`", "*", "<", "["):
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())


def _code(text: str) -> str:
    return text.replace("`", "'")


def _checks(data: ReportData) -> str:
    rows = [
        [
            check.name,
            f"{check.estimate:.3f} {check.unit}",
            f"{check.lower:.3f} to {check.upper:.3f}",
            f"{check.limit:.3f}",
            f"{check.error:.3f}",
            f"{check.resolves:.3f}",
            check.decision,
        ]
        for check in data.verdict.checks
    ]
    head = ("check", "estimate", "95 % bounds", "limit", "standard error", "resolves", "decision")
    what = "queries of {} identities" if data.verdict.kind == "accuracy" else "crops in {} groups"
    size = f"{data.verdict.samples:,} {what.format(f'{data.verdict.clusters:,}')}"
    title = f"How it was decided, on {size}"
    return _table(title, head, rows)


def _candidates(data: ReportData) -> str:
    if len(data.candidates) < 2:
        return ""
    lines = [f"- **{_cell(row.name)}**: {_cell(explained(row))}" for row in data.candidates]
    body = _table("Candidates", HEAD, [cells(row) for row in data.candidates])
    return "\n".join([body, "", *lines])


def _variants(data: ReportData) -> str:
    rows = [
        [each.name, each.runtime, each.precision, size_of(each.size), each.note]
        for each in data.variants
    ]
    if rows and data.size_before is not None:
        rows.insert(0, [f"{data.before} weights", "", data.before, size_of(data.size_before), ""])
    return _table("What was made", ("variant", "for", "precision", "size", ""), rows)


def _accuracy(data: ReportData) -> str:
    if data.scores is None:
        return ""
    rows = []
    for key, title in TABLE:
        before, after = (
            100 * run.mean(key) for run in (data.scores.reference, data.scores.candidate)
        )
        rows.append([title, f"{before:.2f}", f"{after:.2f}", signed(after - before)])
    text = _table("Accuracy, percent", ("", data.before, data.after, "change"), rows)
    if data.flips is not None:
        lost, won = len(data.flips.right_to_wrong), len(data.flips.wrong_to_right)
        text += f"\n\nFirst answers that changed: {lost} to wrong, {won} to right."
    return text


def _mixed(data: ReportData) -> str:
    if data.scores is None:
        return ""
    runs = data.scores
    pairs = (
        (data.after, data.before, runs.candidate_on_reference),
        (data.before, data.after, runs.reference_on_candidate),
    )
    rows = [
        [f"{query} on {gallery}", f"{100 * run.mean_ap:.2f}", f"{100 * run.rank(1):.2f}"]
        for query, gallery, run in pairs
    ]
    return _table("Mixed galleries (queries on gallery)", ("", "mAP", "Rank-1"), rows)


def _latency(data: ReportData) -> str:
    if data.latency is None:
        return ""
    faster = {(each.name, each.batch): each for each in data.latency.speedups}
    rows = []
    for each in data.latency.timings:
        ratio = faster.get((each.name, each.batch))
        said = f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})" if ratio else "1.00"
        p99 = "" if each.p99 is None else f"{each.p99 / each.batch:.2f}"
        tail = [f"{each.p90 / each.batch:.2f}", p99, f"{each.cpu / each.batch:.2f}"]
        rows.append([each.name, str(each.batch), f"{each.per_crop:.2f}", said, *tail])
    head = ("engine", "batch", "median", f"times {data.latency.baseline}", "p90", "p99", "CPU")
    return _table("Latency, ms per crop, in turns", head, rows)


def _thresholds(data: ReportData) -> str:
    if data.thresholds is None:
        return ""
    pairs = zip(data.thresholds.reference, data.thresholds.candidate, strict=True)
    rows = [[f"{old.far:g}", *_threshold(old), *_threshold(new)] for old, new in pairs]
    head = ("FAR", data.before, "TAR", data.after, "TAR")
    return _table("Match thresholds", head, rows)


def _threshold(each: Threshold) -> list[str]:
    if each.threshold is None or each.tar is None:
        return [f"not resolvable (pairs behind it: {each.exceedances})", ""]
    shown = f"{each.threshold:.4f} ({each.low:.4f} to {each.high:.4f})"
    return [shown, f"{100 * each.tar:.2f} %"]


def _cosines(data: ReportData) -> str:
    if data.cosines is None:
        return ""
    values = {"smallest": data.cosines.smallest, **data.cosines.percentiles}
    rows = [[f"{value:.4f}" for value in values.values()]]
    return _table(f"Cosine of {data.after} to {data.before}", list(values), rows)


def _sensitivity(data: ReportData) -> str:
    rows = [
        [each.layer, f"{each.error:.3g}", "yes" if each.protected else ""]
        for each in data.sensitivity
    ]
    return _table("Which layers suffer", ("layer", data.sensitivity_unit, "protected"), rows)


def _fusion(data: ReportData) -> str:
    words = {True: "proved", False: "not proved", None: "checked at install"}
    rows = []
    for each in data.fusion:
        nodes = "" if each.proved is None else f"{each.attention_nodes} of {each.expected_nodes}"
        rows.append([each.architecture, each.variant, words[each.proved], nodes, each.note])
    head = ("architecture", "variant", "fused", "Attention nodes", "")
    return _table("Fused attention", head, rows)


def _changed(data: ReportData) -> str:
    rows = [
        [each.name, f"{100 * each.before_ap:.1f}", f"{100 * each.after_ap:.1f}"]
        for each in data.changed
    ]
    head = ("query", f"AP {data.before}", f"AP {data.after}")
    return _table("Where it hurts most, percent", head, rows)


def _setting(data: ReportData) -> str:
    lines = [f"- {_cell(name)}: {_cell(str(value))}" for name, value in data.facts.items()]
    lines += [f"- {name}: {seconds:.1f} s" for name, seconds in data.stages]
    if data.setting is not None:
        lines.append(f"- {_cell(data.setting.machine.as_text())}")
        lines.append(f"- {data.setting.date}, load average before {data.setting.load}")
    lines += [f"- {_cell(note)}" for note in data.notes]
    command = f"```\n{_code(data.command)}\n```" if data.command else ""
    body = "\n\n".join(part for part in ("\n".join(lines), command) if part)
    return f"## Machine, versions, command\n\n{body}" if body else ""
