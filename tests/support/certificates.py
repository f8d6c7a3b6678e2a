"""Certificates that an authority of the tests vouches for, and servers' TLS with them."""

from __future__ import annotations

import ssl

import trustme


def tls_of(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    """Return the TLS of a server of that name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context
