"""Which addresses a message may be sent to: those of others, and not into the lab's own network.

An alert carries what somebody wrote into an event or a setting. Whoever can name the address of a
webhook could else have the server speak to what only the server reaches.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any, Final

from madsci.common.errors import DeliveryError

Resolve = Callable[[str, int], list[Any]]
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""Addresses that lead to the one of IPv4 in their last 32 bits (RFC 6052)."""


def resolved(host: str, port: int) -> list[Any]:
    """Return what the system says of a host."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def address_of(host: str, port: int, *, allow_private: bool, resolve: Resolve = resolved) -> str:
    """Return the address of a host, to be connected to as it is: asked again, it may be another one.

    Raises:
        DeliveryError: there is no such host, or one of its addresses may not be spoken with.
    """
    try:
        found = list(dict.fromkeys(str(one[4][0]) for one in resolve(host, port)))
    except (OSError, UnicodeError) as error:
        raise DeliveryError(f"There is no host {host!r:.100} ({error}). Check the address.") from error
    for text in found:
        if not allow_private and not is_public(ipaddress.ip_address(text.partition("%")[0])):
            raise DeliveryError(
                f"The host {host!r:.100} is at {text}, which is no public address. If it is meant, set"
                " allow_private: true.",
                is_final=True,
            )
    if not found:
        raise DeliveryError(f"The host {host!r:.100} has no address.")
    return found[0]


def is_public(address: _Address) -> bool:
    """Tell whether an address is one of the public internet, whatever form it has."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None:
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )
