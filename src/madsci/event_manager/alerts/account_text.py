"""An account as text without markup, for narrow screens: our lines have some 70 characters at most."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from madsci.event_manager.alerts.account import Account, Fact

_WIDTH: Final = 70
"""Characters; what a phone on its side shows. Texts and addresses of others stay as they are."""


def as_text(account: Account) -> str:
    """Return the text, with a line break at its end."""
    parts = [part for part in _parts(account) if part]
    return "\n\n".join(parts) + "\n"


def _parts(account: Account) -> Iterator[str]:
    yield _wrapped(account.heading)
    yield _wrapped(account.reason)
    if account.message is not None:
        yield account.message.text
    yield "\n".join(map(_fact, account.facts))
    for block in account.blocks:
        yield f"{block.label}:\n{block.text}"
    for link in account.links:
        yield f"{link.label}:\n{link.url}"
    for way in account.ways:
        yield f"{way.label}:\n{way.text}"


def _fact(fact: Fact) -> str:
    first, *others = fact.lines
    return "\n".join(
        [_wrapped(f"{fact.label}: {first}", "", "  "), *(_wrapped(one, "  ", "  ") for one in others)]
    )


def _wrapped(text: str, before: str = "", later: str = "") -> str:
    """Return one line broken into several: nothing that somebody copies, such as an id, is."""
    lines = textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=before,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)
