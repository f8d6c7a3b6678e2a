"""A mail to one person: what is said, and its form by RFC 5322, whatever the texts hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from enum import Enum
from typing import Final

from madsci.common.clock import utc_now
from madsci.common.errors import DeliveryError, SettingsError
from madsci.event_manager.alerts.keys import header_key

_LONGEST_HEADER: Final = 200
"""Characters of a header that events have a part in: what a phone shows is shorter still."""
_LONGEST_ADDRESS: Final = 500
"""Characters of an address with a name before it; RFC 5321 has 254 for itself."""
_ADDRESS: Final = re.compile(
    r"""\s*(?:"?(?P<name>[^<>@"]*?)"?\s*<(?P<named>{one})>|(?P<plain>{one}))\s*""".format(
        one=r"""[^\s<>@,;:"()]+@[^\s<>@,;:"()]+"""
    )
)
"""One as people write it. The standard library's parser takes several, and breaks at some."""
_POLICY: Final = SMTP.clone(max_line_length=78)


class Importance(Enum):
    """How a mail asks to be looked at; the value is that of ``X-Priority``."""

    HIGH = 1
    NORMAL = 3
    LOW = 5

    @classmethod
    def named(cls, name: str) -> Importance:
        """Return the one with this name, in any case.

        Raises:
            SettingsError: there is none.
        """
        try:
            return cls[name.strip().upper()]
        except KeyError:
            raise SettingsError(
                f"{name!r} is no importance of a mail. Use High, Normal or Low."
            ) from None


@dataclass(frozen=True)
class Mail:
    """What is said to one person or several; ``html`` says the same as ``text``."""

    subject: str
    text: str
    html: str | None = None
    importance: Importance = Importance.NORMAL
    headers: Mapping[str, str] = field(default_factory=dict)

    def to(self, recipient: str, sender: str, key: str | None = None) -> EmailMessage:
        """Return the message to one of them.

        ``key`` is the same whenever it is sent again, so that repetitions can be known.

        Raises:
            DeliveryError: one of the addresses is none.
        """
        whom, who = address(recipient), address(sender)
        message = EmailMessage(_POLICY)
        message["Subject"] = header_text(self.subject)
        message["From"] = who
        message["To"] = whom
        message["Date"] = format_datetime(utc_now())
        domain = who.domain.encode("idna").decode()
        message["Message-ID"] = (
            make_msgid(domain=domain) if key is None else f"<{header_key(key)}@{domain}>"
        )
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is to be answered
        message["Importance"] = self.importance.name.capitalize()
        message["X-Priority"] = str(self.importance.value)
        for name, value in self.headers.items():
            message[name] = header_text(value)
        message.set_content(_sendable(self.text))
        if self.html is not None:
            message.add_alternative(_sendable(self.html), subtype="html")
        return message


def header_text(text: str) -> str:
    """Return a text that a header may have: without a line break of any kind, and not too long."""
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= _LONGEST_HEADER else line[: _LONGEST_HEADER - 1] + "…"


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # half a character of UTF-16 is in some events


def address(text: str) -> Address:
    """Return the one address that a text is, with a name or without.

    Raises:
        DeliveryError: it is none, or several.
    """
    found = _ADDRESS.fullmatch(text) if text.isprintable() and len(text) <= _LONGEST_ADDRESS else None
    user, _, domain = ((found["named"] or found["plain"]) if found else "").partition("@")
    if found is None or not _is_domain(domain):
        raise DeliveryError(
            f"{text[:100]!r} is no address of a mail. Write one such as anna@lab.org in email_alerts.",
            is_final=True,
        )
    return Address(found["name"] or "", user, domain)


def _is_domain(text: str) -> bool:
    try:
        return bool(text.encode("idna"))
    except UnicodeError:  # a part of it is empty, or too long
        return False
