"""What a connection needs to be let in: headers, and files of keys and certificates, checked early."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_OWN_HEADERS: Final = frozenset(
    {"content-type", "content-length", "content-encoding", "transfer-encoding", "connection"}
)
"""What each request says for itself: another value would make it unreadable."""
_MAX_PEM_BYTES: Final = 8_000_000
"""Bytes of a file that are looked at; all public authorities together have 250,000."""


def request_headers(value: Any) -> Any:
    """Check the headers of requests, names with their values. Errors tell names, never values.

    Raises:
        ValueError: a name is none, or a value would break the request.
    """
    if not isinstance(value, Mapping):
        return value
    seen: set[str] = set()
    for name, text in value.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ValueError("it should have names of HTTP headers such as X-Api-Key")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"it should not have {name}, which each request says for itself")
        if name.lower() in seen:
            raise ValueError(f"it should have {name} once; the case of letters makes no difference")
        seen.add(name.lower())
        if not isinstance(text, str) or not _is_header_text(text):
            raise ValueError(f"the value of {name} should be one line of plain text")
    return dict(value)


def certificate_file(path: Path) -> Path:
    """Check that a file holds certificates as PEM.

    Raises:
        ValueError: it cannot be read, or holds none.
    """
    if b"-----BEGIN CERTIFICATE-----" not in _read(path):
        raise ValueError("it should be a file of certificates in PEM (-----BEGIN CERTIFICATE-----)")
    return path


def check_client_key(certificate: Path | None, key: Path | None) -> None:
    """Check that a client's certificate has its key, in a file of its own or in the same one.

    Raises:
        ValueError: one of them is missing, or the key is locked by a passphrase, for which nobody is
            there to be asked.
    """
    if certificate is None:
        if key is not None:
            raise ValueError("it should stand beside event_server_client_cert_file, which is not set")
        return
    content = _read(certificate if key is None else key)
    if b"PRIVATE KEY-----" not in content:
        where = "event_server_client_cert_file holds no key either" if key is None else ""
        raise ValueError(
            "it should be a file with a private key in PEM (-----BEGIN PRIVATE KEY-----)"
            + (f"; {where}" if where else "")
        )
    if b"BEGIN ENCRYPTED" in content or b"4,ENCRYPTED" in content:
        raise ValueError("it should be a key without a passphrase; protect the file by its permissions")


def _is_header_text(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return text == text.strip() and all(char.isprintable() or char == "\t" for char in text)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_PEM_BYTES)
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror or error}") from None
