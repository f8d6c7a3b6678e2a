"""A mail server that keeps what it gets: with TLS or without, with a login or without."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

from support.server import free_port

USER, PASSWORD = "lab", "of-the-lab"


class MailServerOfTests:
    """Takes mails on a port of this machine, and refuses those that ``refuse`` has an answer for."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        login: bool = False,
        refuse: Callable[[str], str | None] = lambda _: None,
        goodbye: str = "221 Bye",
    ) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []
        self._refuse = refuse
        self._goodbye = goodbye
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=free_port(),  # it connects to this number itself, to see that it is there
            ssl_context=tls if implicit else None,
            tls_context=None if implicit else tls,
            require_starttls=tls is not None and not implicit,
            authenticator=_authenticate if login else None,
            auth_required=login,
            auth_require_tls=tls is not None and not implicit,
            enable_SMTPUTF8=True,
        )

    def start(self) -> None:
        self._controller.start()

    def close(self) -> None:
        self._controller.stop()

    @property
    def port(self) -> int:
        return int(self._controller.port)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's names
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        refusal = self._refuse(address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        (recipient,) = envelope.rcpt_tos
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((recipient, message))
        return "250 OK"

    async def handle_QUIT(self, _server: Any, _session: Any, _envelope: Envelope) -> str:  # noqa: N802
        return self._goodbye


def _authenticate(
    _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any
) -> AuthResult:
    is_right = isinstance(given, LoginPassword) and (given.login, given.password) == (
        USER.encode(), PASSWORD.encode(),
    )  # fmt: skip
    return AuthResult(success=is_right, handled=False)


@contextmanager
def mail_server(**how: Any) -> Iterator[MailServerOfTests]:
    """Run one for the length of a block."""
    server = MailServerOfTests(**how)
    server.start()
    with closing(server):
        yield server
