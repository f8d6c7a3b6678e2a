"""The mail server that takes mails, by RFC 5321."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email.message import EmailMessage
from typing import Final

from madsci.common.errors import DeliveryError
from madsci.common.types.alerts import EmailAlertsConfig

_SECONDS: Final = 15.0
"""Until a server that says nothing is given up, at each step; those that look for spam take a few."""
_IMPLICIT_TLS: Final = 465
"""The port on which the first byte is TLS's (RFC 8314)."""
_FINAL: Final = range(500, 600)
"""Replies that say that it is no use to try again (RFC 5321, 4.2.1)."""


class MailServer:
    """Sends one mail after the other, over a connection for each. Thread-safe.

    Certificates are checked against what the system trusts, or the file that ``SSL_CERT_FILE`` names.
    """

    def __init__(self, config: EmailAlertsConfig, seconds: float = _SECONDS) -> None:
        self._config = config
        self._seconds = seconds

    @property
    def name(self) -> str:
        """Its host and port."""
        return f"{self._config.smtp_server}:{self._config.smtp_port}"

    def send(self, message: EmailMessage) -> None:
        """Hand a mail over; returning, the server has answered for it.

        Raises:
            DeliveryError: it was not taken; says why, and whether another try is of use.
        """
        with self._explained(str(message["To"])), self._connection() as server:
            if self._config.smtp_username and self._config.smtp_password:
                server.login(self._config.smtp_username, self._config.smtp_password)
            server.send_message(message)
            with suppress(OSError, smtplib.SMTPException):  # it has the mail, however it parts
                server.quit()

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        host, port = self._config.smtp_server, self._config.smtp_port
        trusted = ssl.create_default_context()
        server: smtplib.SMTP
        if port == _IMPLICIT_TLS:
            server = smtplib.SMTP_SSL(host, port, timeout=self._seconds, context=trusted)
        else:
            server = smtplib.SMTP(host, port, timeout=self._seconds)
        with closing(server):
            if self._config.use_tls and port != _IMPLICIT_TLS:
                server.starttls(context=trusted)
            yield server

    @contextmanager
    def _explained(self, recipient: str) -> Iterator[None]:
        try:
            yield
        except smtplib.SMTPAuthenticationError as error:
            raise self._failure(
                f"refused the user {self._config.smtp_username!r} ({_reply(error)})",
                "Check smtp_username and smtp_password.",
            ) from error
        except smtplib.SMTPRecipientsRefused as error:
            code, reply = next(iter(error.recipients.values()))
            raise self._failure(
                f"does not take mail for {recipient} ({code} {_text(reply)})",
                "Check the address in email_addresses.",
                is_final=code in _FINAL,
            ) from error
        except smtplib.SMTPResponseException as error:  # of the greeting, the sender or the mail
            raise self._failure(f"did not take the mail ({_reply(error)})", "") from error
        except smtplib.SMTPNotSupportedError as error:
            raise self._failure(
                f"cannot do what was asked of it ({error})",
                "If it has no STARTTLS, use port 465, or use_tls: false inside of the lab.",
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise self._failure(
                f"has a certificate that is not trusted ({error.verify_message})",
                "Name it as its certificate does, and its authority's file with SSL_CERT_FILE.",
            ) from error
        except (OSError, smtplib.SMTPException) as error:  # refused, unknown, cut off, no SMTP at all
            if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
                raise self._failure(f"said nothing for {self._seconds:g} s", "") from error
            raise self._failure(
                f"could not be spoken with ({error})", "Check smtp_server, smtp_port and use_tls."
            ) from error

    def _failure(self, what: str, remedy: str, *, is_final: bool = False) -> DeliveryError:
        return DeliveryError(f"The mail server {self.name} {what}. {remedy}".strip(), is_final=is_final)


def _reply(error: smtplib.SMTPResponseException) -> str:
    return f"{error.smtp_code} {_text(error.smtp_error)}"


def _text(reply: bytes | str) -> str:
    return reply.decode(errors="replace") if isinstance(reply, bytes) else reply
