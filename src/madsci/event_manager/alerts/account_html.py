"""An account as HTML for mails: the same as the text, nothing that is loaded, and no colours but one.

Mail programs put it on white or on black; so text has their colour, and lines are grey.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from madsci.common.types.log_level import EventLogLevel
from madsci.event_manager.alerts.account import Account, Block, Fact, Link
from madsci.event_manager.alerts.notice import Occasion

_HEAD: Final = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width">'
    '<meta name="color-scheme" content="light dark"></head>'
    '<body style="margin:0;padding:12px;font:16px/1.4 sans-serif;max-width:44em">'
)
_END: Final = "</body></html>"
_BOX: Final = (
    "margin:0 0 12px;padding:8px;border:1px solid #888888;border-radius:4px;"
    "font:13px/1.4 monospace;white-space:pre-wrap;overflow-wrap:anywhere"
)
_ITEM: Final = "padding-left:2em;text-indent:-2em"
_LABEL: Final = '<p style="margin:12px 0 4px;font-weight:bold">'
_CELL: Final = "padding:2px 12px 2px 0;vertical-align:top;text-align:left"
_OF_LEVEL: Final = {
    EventLogLevel.CRITICAL: "#b00020",
    EventLogLevel.ERROR: "#d9480f",
    EventLogLevel.WARNING: "#e0a800",
}
_OF_OTHERS: Final = "#3b82c4"
_OF_OCCASION: Final = {Occasion.RESOLVED: "#2e8b57", Occasion.DRILL: "#888888"}


def as_html(account: Account) -> str:
    """Return a whole document. No text of it is markup, whatever it holds."""
    return "".join([_HEAD, *_parts(account), _END])


def _parts(account: Account) -> Iterator[str]:
    level = EventLogLevel.at_or_below(account.severity)
    color = _OF_OCCASION.get(account.occasion) or _OF_LEVEL.get(level, _OF_OTHERS)
    yield f'<div style="border-left:6px solid {color};padding-left:12px;margin-bottom:12px">'
    yield f'<p style="margin:0 0 4px;font-size:18px;font-weight:bold">{escape(account.heading)}</p>'
    yield f'<p style="margin:0">{escape(account.reason)}</p></div>'
    if account.message is not None:
        yield _boxed(account.message)
    yield '<table style="border-collapse:collapse;margin:0 0 12px">'
    yield from map(_row, account.facts)
    yield "</table>"
    yield from map(_block, account.blocks)
    yield from map(_link, account.links)
    yield from map(_block, account.ways)


def _row(fact: Fact) -> str:
    lines = "<br>".join(map(escape, fact.lines))
    return f'<tr><th style="{_CELL}">{escape(fact.label)}</th><td style="{_CELL}">{lines}</td></tr>'


def _block(block: Block) -> str:
    return f"{_LABEL}{escape(block.label)}</p>{_boxed(block)}"


def _boxed(block: Block) -> str:
    if not block.is_list:
        return f'<pre style="{_BOX}">{escape(block.text)}</pre>'
    items = (f'<div style="{_ITEM}">{escape(one)}</div>' for one in block.text.split("\n"))
    return f'<div style="{_BOX}">{"".join(items)}</div>'


def _link(link: Link) -> str:
    return f'<p style="margin:12px 0"><a href="{escape(link.url)}">{escape(link.label)}</a></p>'
