"""How the report page looks: light and dark, wide and narrow, on paper, without any script."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f7f6f3; --card: #ffffff; --ink: #1d2530; --soft: #5d6875; --line: #e2dfd8;
  --before: #7d8894; --after: #b4530f; --genuine: #0b7f74; --impostor: #c2610c;
  --pass: #14743c; --pass-soft: #e4f3e9; --fail: #b3261e; --fail-soft: #fbe6e4;
  --undecided: #8a5a00; --undecided-soft: #fdf1d8; --accent: #2b5f9e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181d; --card: #1c2229; --ink: #e8ebee; --soft: #9daab6; --line: #303943;
    --before: #8f9dab; --after: #f0924a; --genuine: #3cc2b3; --impostor: #f0924a;
    --pass: #6fd394; --pass-soft: #173324; --fail: #ff8d84; --fail-soft: #3d1f1e;
    --undecided: #f0c060; --undecided-soft: #3a2f17; --accent: #86b6ee;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 2.2rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .1rem 0 .2rem; letter-spacing: -.01em; }
h2 { font-size: 1.28rem; margin: 3rem 0 .35rem; letter-spacing: -.005em; }
h3 { font-size: .98rem; margin: 0 0 .7rem; }
p { margin: .3rem 0 .8rem; max-width: 74ch; }
a { color: var(--accent); }
code, pre { font: .86em/1.5 ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; }
pre {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: .9rem 1.1rem; white-space: pre-wrap; overflow-wrap: anywhere;
}
.kicker { color: var(--soft); font-size: .84rem; letter-spacing: .04em; margin: 0; }
.lead, .quiet, figcaption { color: var(--soft); }
.lead { margin-bottom: 1.1rem; }
.quiet, figcaption { font-size: .87rem; }
.verdict {
  display: flex; gap: 1.1rem; align-items: flex-start; margin: 1.5rem 0 1.2rem;
  border-radius: 14px; padding: 1.25rem 1.4rem; border-left: 7px solid;
}
.verdict svg { flex: 0 0 44px; width: 44px; height: 44px; }
.verdict strong { display: block; font-size: 1.5rem; line-height: 1.25; }
.verdict p { margin: .25rem 0 0; font-size: 1.06rem; }
.verdict .quiet { font-size: .87rem; }
.verdict.pass { background: var(--pass-soft); border-color: var(--pass); }
.verdict.fail { background: var(--fail-soft); border-color: var(--fail); }
.verdict.undecided { background: var(--undecided-soft); border-color: var(--undecided); }
.verdict.pass strong, .word.pass { color: var(--pass); }
.verdict.fail strong, .word.fail { color: var(--fail); }
.verdict.undecided strong, .word.undecided { color: var(--undecided); }
.word { font-weight: 650; white-space: nowrap; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: .8rem; }
.tile, .card {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: .95rem 1.1rem;
}
.tile .figure { font-size: 1.55rem; font-weight: 650; letter-spacing: -.02em; white-space: nowrap; }
.tile .name { color: var(--soft); font-size: .84rem; }
.tile .more { color: var(--soft); font-size: .84rem; }
.columns {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 1rem;
  align-items: start; margin: 1rem 0;
}
@media (min-width: 900px) { .columns.uneven { grid-template-columns: 5fr 7fr; } }
.columns .columns { margin: 0; }
.stack { display: grid; gap: 1rem; min-width: 0; }
.card { min-width: 0; }
.card > :last-child { margin-bottom: 0; }
.scroll { overflow-x: auto; border-radius: 6px; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; }
table {
  border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .93rem;
}
caption { text-align: left; color: var(--soft); font-size: .87rem; padding-bottom: .45rem; }
th, td { padding: .38rem .6rem; border-bottom: 1px solid var(--line); vertical-align: baseline; }
thead th { color: var(--soft); font-weight: 550; font-size: .84rem; }
tbody th { font-weight: 550; }
tbody tr:last-child > * { border-bottom: 0; }
.words { text-align: left; }
.number { text-align: right; white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
.range-of { color: var(--soft); font-size: .84rem; }
.number .range-of { display: block; font-size: .8rem; line-height: 1.2; }
.nobreak { white-space: nowrap; }
figure { margin: 0; }
figcaption { margin-top: .45rem; }
.chart {
  display: block; width: 100%; height: auto; max-width: 640px; margin: 0 auto; font-size: 12px;
}
.chart text { fill: var(--ink); }
.chart .tick { fill: var(--soft); }
.chart .name { fill: var(--ink); font-size: 11.5px; }
.chart .axis { stroke: var(--soft); stroke-width: 1; opacity: .6; }
.chart .zero { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 3; }
.chart .area { opacity: .34; stroke-width: 1.5; }
.chart .trace { fill: none; stroke-width: 1.6; stroke-dasharray: 5 3; }
.chart .area.genuine { fill: var(--genuine); stroke: var(--genuine); }
.chart .area.impostor { fill: var(--impostor); stroke: var(--impostor); }
.chart .area.cosine { fill: var(--accent); stroke: var(--accent); }
.chart .trace.genuine { stroke: var(--genuine); }
.chart .trace.impostor { stroke: var(--impostor); }
.chart .mark { stroke: var(--ink); stroke-width: 1.4; }
.chart .mark.before { stroke: var(--before); stroke-dasharray: 4 3; }
.chart .mark.limit { stroke: var(--fail); stroke-width: 2; }
.chart .label { font-size: 11px; }
.chart .label.before { fill: var(--before); }
.chart .label.limit { fill: var(--fail); }
.chart .bar { fill: var(--accent); opacity: .82; }
.chart .bar.protected { fill: var(--after); }
.chart .allowed { fill: var(--pass); opacity: .1; }
.chart .forbidden { fill: var(--fail); opacity: .13; }
.chart .range { stroke-width: 3; stroke: var(--undecided); }
.chart .point { fill: var(--undecided); }
.chart .range.pass { stroke: var(--pass); } .chart .point.pass { fill: var(--pass); }
.chart .range.fail { stroke: var(--fail); } .chart .point.fail { fill: var(--fail); }
.key {
  display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; list-style: none;
  padding: 0; margin: .5rem 0 0;
}
.key li { font-size: .85rem; color: var(--soft); display: flex; align-items: center; gap: .4rem; }
.key i { width: 1.1rem; height: .7rem; border-radius: 2px; opacity: .75; }
.key .genuine { background: var(--genuine); } .key .impostor { background: var(--impostor); }
.key .plain { background: var(--accent); } .key .protected { background: var(--after); }
.key .dashed { height: 0; border-top: 2px dashed var(--soft); border-radius: 0; }
.meter {
  display: block; height: 6px; border-radius: 3px; background: var(--line); min-width: 90px;
}
.meter i { display: block; height: 100%; border-radius: 3px; background: var(--after); }
.queries {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 1rem;
}
.query { display: grid; grid-template-columns: auto 1fr; gap: .3rem 1rem; align-items: start; }
.query h3 {
  grid-column: 1 / -1; margin: 0; display: flex; justify-content: space-between; gap: 1rem;
}
.query h3 { overflow-wrap: anywhere; }
.query h3 span { font-weight: 400; color: var(--soft); white-space: nowrap; }
.shot { margin: 0; position: relative; line-height: 0; }
.shot img {
  display: block; width: auto; height: 116px; border-radius: 5px; border: 3px solid var(--line);
}
.asked img { height: 206px; border-color: var(--soft); }
.right img { border-color: var(--genuine); }
.wrong img { border-color: var(--fail); border-style: dashed; }
.shot b {
  position: absolute; right: -4px; top: -6px; width: 18px; height: 18px; border-radius: 50%;
  font: 700 12px/18px system-ui, sans-serif; text-align: center; color: var(--card);
}
.right b { background: var(--genuine); } .wrong b { background: var(--fail); }
.answers { display: flex; flex-wrap: wrap; gap: .45rem; }
.answers + .row { margin-top: .55rem; }
.row { font-size: .8rem; color: var(--soft); margin: 0 0 .25rem; }
dl {
  display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .3rem 1.2rem;
  margin: .2rem 0;
}
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); }
@media (max-width: 560px) {
  main { padding: 1.3rem .9rem 3rem; }
  h1 { font-size: 1.4rem; } .verdict { padding: 1rem; gap: .8rem; }
  .verdict strong { font-size: 1.25rem; }
  .verdict svg { flex-basis: 34px; width: 34px; height: 34px; }
  .query { grid-template-columns: 1fr; } .shot img { height: 96px; }
  .asked img { height: 140px; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
}
@media print {
  :root {
    --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --before: #666;
    --after: #8a3d05; --genuine: #06665d; --impostor: #8a4205; --pass: #0d5a2c; --fail: #8d1812;
    --undecided: #6b4500; --pass-soft: #fff; --fail-soft: #fff; --undecided-soft: #fff;
    --accent: #1d4a80;
  }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  h2, .lead { break-after: avoid; } h2 { margin-top: 1.4rem; }
  .card, .tile, .query, figure, tr, .verdict { break-inside: avoid; }
  .verdict { border: 1px solid; border-left-width: 7px; } .scroll { overflow: visible; }
}
"""
