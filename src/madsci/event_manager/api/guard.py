"""Whose page is it: what browsers may do on behalf of pages that are not this server's.

A browser in the lab reaches this server, and runs whatever page somebody opens in it. So what changes
events is refused where the page comes from an origin that is not configured, also if the request is one
that browsers send without asking first; and a page cannot make its own name point at this server (DNS
rebinding), since a request has to call the server by a name that it has. Programs that are no browsers
send no origin. See https://fetch.spec.whatwg.org/#http-cors-protocol.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from madsci.event_manager.api.problems import problem

_logger = logging.getLogger(__name__)

SAFE: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""
EXPOSED: Final = (
    "X-Next-Cursor",
    "X-Event-Duplicate",
    "X-Event-Warning",
    "X-Total-Count",
    "Content-Disposition",
)
_EVERY: Final = "*"
_NO_SNIFFING: Final = (b"x-content-type-options", b"nosniff")
_FOR_OWN: Final = (b"cross-origin-resource-policy", b"same-origin")
_FOR_ALL: Final = (b"cross-origin-resource-policy", b"cross-origin")
_LOCAL_SUFFIXES: Final = (
    ".localhost", ".local", ".localdomain", ".lan", ".internal", ".home.arpa",
)  # fmt: skip
"""End names that only local networks give out: no foreign page has one (RFC 6761, 6762, 8375)."""
_OWN_SITES: Final = (b"same-origin", b"none")
"""What browsers say of requests by a page of the server's own, or by a person; no page can say it.
See https://www.w3.org/TR/fetch-metadata/."""
_REMEMBERED: Final = 1_000
"""Names of hosts that are remembered as judged; with more of them they are judged anew."""
_TOLD: Final = 20
"""Unknown names that the log tells: the first ones are mistakes of people, the rest scanners."""


class Guard:
    """Tells which requests are refused. Used on the event loop.

    ``origins`` are those whose pages may do everything, ``hosts`` further names of the server; ``*``
    stands for all, ``*.example.org`` for all below one.
    """

    def __init__(self, origins: Iterable[str], hosts: Iterable[str]) -> None:
        # As browsers write them.
        self._origins = frozenset(one.rstrip("/").lower() for one in origins)
        own = {*hosts, *names_of_this_machine()}
        self._hosts = frozenset(name.rstrip(".").lower() for name in own)
        self._judged: dict[bytes, bool] = {}
        self._told = 0

    def knows(self, origin: bytes) -> bool:
        """Tell whether pages of an origin may do everything."""
        return _EVERY in self._origins or origin.decode("latin-1") in self._origins

    def refusal(
        self, scope: Scope, headers: Mapping[bytes, bytes], *, changes: bool = False
    ) -> Response | None:
        """Return the reply to a request that is not answered otherwise, if it is one.

        ``changes``: whether it changes something though its method is one that does not.
        """
        host = headers.get(b"host", b"")
        if not self._is_ours(host):
            return problem(
                421,
                f"The request is for {_shown(host)}, which is not a name that this server knows as its"
                " own. Use its address, or start the server with"
                f" {_setting('EVENT_ALLOWED_HOSTS', host)}.",
                "unknown-host",
            )
        origin = headers.get(b"origin")
        is_safe = scope["method"] in SAFE and not changes
        if is_safe or not self._is_foreign(origin, host, headers):
            return None
        page = "another site" if origin is None else _shown(origin)
        return problem(
            403,
            f"A page of {page} may not do this. If it should, start the server with"
            f" {_setting('EVENT_CORS_ORIGINS', origin or b'null')}.",
            "foreign-origin",
        )

    def _is_foreign(self, origin: bytes | None, host: bytes, headers: Mapping[bytes, bytes]) -> bool:
        """Tell whether a page of an origin that is not configured makes the request."""
        # What the browser itself says, where it does, is true also behind a proxy that changes hosts.
        site = headers.get(b"sec-fetch-site")
        if site in _OWN_SITES:
            return False
        if origin is None:
            return site is not None and not self.knows(b"null")
        _, _, named = origin.partition(b"://")
        return named != host.lower() and not self.knows(origin)

    def _is_ours(self, host: bytes) -> bool:
        judged = self._judged.get(host)
        if judged is None:
            judged = self._judge(_name_in(host.decode("latin-1")))
            if len(self._judged) >= _REMEMBERED:
                self._judged.clear()
            self._judged[host] = judged
            if not judged and self._told < _TOLD:
                self._told += 1
                _logger.warning(
                    "A request calls this server %s, which is not a name that it knows as its own. If"
                    " it is one, start the server with %s.",
                    _shown(host),
                    _setting("EVENT_ALLOWED_HOSTS", host),
                )
        return judged

    def _judge(self, name: str) -> bool:
        # No page has an address, or a name without a dot, of a machine that is not in this network.
        if _EVERY in self._hosts or "." not in name or name.endswith(_LOCAL_SUFFIXES):
            return True
        if name in self._hosts or _is_address(name):
            return True
        labels = name.split(".")
        return any(f"*.{'.'.join(labels[place:])}" in self._hosts for place in range(1, len(labels)))

    def protection(self, origin: bytes | None) -> list[tuple[bytes, bytes]]:
        """Return the headers by which browsers keep an answer from pages that it is not for."""
        is_for_others = self.knows(b"null" if origin is None else origin)
        return [_NO_SNIFFING, _FOR_ALL if is_for_others else _FOR_OWN]

    def for_pages(self, app: ASGIApp) -> ASGIApp:
        """Return the application for requests of pages whose origin is configured."""
        return CORSMiddleware(
            app,
            allow_origins=self._origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_private_network=True,  # a public page that is named may ask for a private address
            expose_headers=EXPOSED,
        )


def names_of_this_machine(resolver: Path = Path("/etc/resolv.conf")) -> set[str]:
    """Return the machine's name, alone and in the domains that its network searches; asks nobody."""
    name = socket.gethostname()
    try:
        lines = [line.split() for line in resolver.read_text("utf-8", "replace").splitlines()]
    except OSError:  # Windows has none
        return {name}
    domains = {
        domain for words in lines if words[:1] in (["search"], ["domain"]) for domain in words[1:]
    }
    return {name, *(f"{name}.{domain}" for domain in domains)}


def _name_in(host: str) -> str:
    """Return the name or address in a ``Host`` header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _shown(value: bytes) -> str:
    return repr(value.decode("latin-1"))[:100]


def _setting(name: str, value: bytes) -> str:
    """Return how a setting is written in a shell."""
    text = value.decode("latin-1") if b"://" in value else _name_in(value.decode("latin-1"))
    return f"{name}='{json.dumps([text[:100]])}'"
