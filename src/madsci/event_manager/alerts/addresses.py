"""Which addresses of the network alerts may be sent to.

What a URL names is looked up once and judged by its addresses, not by its name: a name may mean another
address each time that it is asked for.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

Resolve = Callable[[str, int], Sequence[str]]
"""A host and a port → its addresses as text, the best first. Raises ``OSError``."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as networks that have IPv6 only write them (RFC 6052); the last 32 bits are the
address."""


def system_addresses(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of a host; waits as long as its resolver is configured to.

    Raises:
        OSError: nobody knows it, or nobody can be asked.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))


def is_private(text: str) -> bool:
    """Tell whether an address is none of the public internet's, or no address at all.

    Such are private, shared (RFC 6598), loopback, link-local, multicast, reserved and documentation
    ones. An IPv6 address that holds an IPv4 address (mapped, 6to4, NAT64) is judged by that one.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return True
    if isinstance(address, IPv6Address):
        inner = _embedded(address)
        if inner is None:
            return address.is_site_local or _is_special(address)
        address = inner
    return _is_special(address)


def _is_special(address: IPv4Address | IPv6Address) -> bool:
    # Releases of Python differ in what is global; what any of these says is not taken for public.
    return not address.is_global or address.is_multicast or address.is_reserved or address.is_private


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour
