"""A page of HTML that needs nothing else, readable on light and dark screens and on paper."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["cell", "page"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --dim: #5c6675; --paper: #ffffff; --card: #f5f6f8; --line: #d5dae1;
  --bad: #b3261e; --good: #1b6e3c; --warn: #8a5a00; --curve: #1f5fbf; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --dim: #9aa5b4; --paper: #14181f; --card: #1d232c; --line: #37404d;
    --bad: #ff8a80; --good: #7fd6a0; --warn: #f2c063; --curve: #8ab8ff; } }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; } h3 { font-size: 1rem; margin: 0 0 .4rem; }
h2, h3, code { overflow-wrap: anywhere; } .dim { color: var(--dim); } h2 .dim { font-size: .85rem; font-weight: normal; }
code, pre, td.name { font-family: ui-monospace, monospace; font-size: .92em; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
a { color: inherit; } summary { cursor: pointer; color: var(--dim); }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); } th { color: var(--dim); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.ok { color: var(--good); } td.wrong { color: var(--bad); font-weight: 600; } td.unchecked { color: var(--warn); font-weight: 600; }
td.skipped { color: var(--dim); }
.card { background: var(--card); border-left: 4px solid var(--bad); padding: .8rem 1rem; margin: .8rem 0; }
.card.undecided { border-color: var(--warn); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem .9rem; margin: 0; } dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
details dl, details ul { margin: .3rem 0 .8rem; }
figure { margin: .8rem 0 0; } figure + .wide { margin-top: 1rem; } figcaption { color: var(--dim); font-size: .9em; max-width: 46rem; }
.plot { max-width: 100%; height: auto; } .plot text { fill: var(--dim); font: 12px system-ui, sans-serif; }
.plot .power { font-size: 9px; } .plot .grid { stroke: var(--line); } .plot .curve { fill: none; stroke: var(--curve); stroke-width: 2; }
.plot .point { fill: var(--curve); } .plot .level { stroke-width: 1.5; stroke-dasharray: 5 4; }
.plot .level0 { stroke: var(--bad); } .plot .level1 { stroke: var(--warn); }
"""


def page(title: str, body: Iterable[str]) -> str:
    """A whole page.

    Args:
        title: plain text.
        body: parts of HTML.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def cell(tag: str, content: str, kind: str = "") -> str:
    """One cell of a table: its content is HTML."""
    return f'<{tag} class="{kind}">{content}</{tag}>' if kind else f"<{tag}>{content}</{tag}>"
