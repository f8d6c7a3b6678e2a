"""The sender of an event as it is kept: JSON text, which the events of one program share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec

from madsci.common.types.sender_reading import LARGEST_PROCESS, LONGEST_NAME

_KEPT: Final = 1024
"""Senders whose text is remembered: the programs of a lab that send at the same time."""
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]


class KnownSender(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False
):
    """A sender in the form that is kept; every other one is read by ``sender_reading``."""

    name: _Name | None = None
    host: _Name | None = None
    process: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_PROCESS)] | None = None


_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=_KEPT)
def sender_text(sender: KnownSender) -> str | None:
    """Return a sender as JSON text, one object for the same ones; ``None`` where nothing is known."""
    return None if sender == _NOBODY else _encode(sender).decode()


_NOBODY: Final = KnownSender()


def text_of_known(known: Mapping[str, Any] | None) -> str | None:
    """Return the same of what ``sender_reading`` read."""
    return sender_text(KnownSender(**known)) if known else None
