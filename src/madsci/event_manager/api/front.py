"""What stands before all operations: whose request it is, which one is meant, and errors.

The fast operations are called from here, the others by the framework behind. What is wrong with a
request itself is said here, in one way for all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from madsci.common.errors import MadsciError
from madsci.common.nearest import nearest
from madsci.event_manager.api.compression import Compression
from madsci.event_manager.api.guard import Guard
from madsci.event_manager.api.operations import VARIABLE, WANTS_HEAD, FastOperation, Operation
from madsci.event_manager.api.problems import problem, problem_of, unexpected

_logger = logging.getLogger(__name__)

_GET, _HEAD, _OPTIONS = "GET", "HEAD", "OPTIONS"


@dataclass(frozen=True)
class Row:
    """An operation, and the names of the parameters that its URL may have."""

    operation: Operation
    parameters: frozenset[str]


Methods = dict[str, Row]
"""The operations of one path, by method."""


class Front:
    """ASGI application over the table of operations; those that are not fast are called by ``behind``.

    A slash at the end of a path changes nothing, HEAD is answered where GET is, and a parameter that an
    operation does not have is refused, so that a typing error never changes what is meant.
    """

    def __init__(self, rows: Iterable[Row], behind: ASGIApp, guard: Guard, prefix: str = "") -> None:
        self._prefix = prefix
        self._behind = behind
        self._guard = guard
        self._for_pages = guard.for_pages(self._answer)
        self._compression = Compression(behind)
        self._exact: dict[str, Methods] = {}
        self._beginnings: dict[str, Methods] = {}
        for row in rows:
            beginning, variable, _ = row.operation.path.partition(VARIABLE)
            paths = self._beginnings if variable else self._exact
            paths.setdefault(beginning, {})[row.operation.method] = row

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._behind(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        refusal = self._guard.refusal(scope, headers)
        origin = headers.get(b"origin")
        if refusal is not None:
            await refusal(scope, receive, send)
        elif origin is not None and self._guard.knows(origin):
            await self._for_pages(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        methods, path = self._found(self._path_in(scope))
        if methods is None:
            await self._hand_on(scope, path, receive, send)
            return
        row = methods.get(scope["method"])
        if row is None and scope["method"] == _HEAD:
            row = methods.get(_GET)
        if row is None:
            await _wrong_method(scope["method"], path, methods)(scope, receive, send)
            return
        if scope["query_string"]:
            refusal = _refuse_unknown(scope["query_string"], row.parameters)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        if isinstance(row.operation, FastOperation):
            await _call(row.operation.handler, scope, receive, send)
        else:
            await self._hand_on(scope, path, receive, send)

    def _found(self, path: str) -> tuple[Methods | None, str]:
        """Return the operations at a path, and how the path is written in the table."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact, path
        short = path.rstrip("/")
        if short in self._exact:
            return self._exact[short], short
        for beginning, methods in self._beginnings.items():
            if path.startswith(beginning) and len(path) > len(beginning):
                return methods, path
        return None, path

    def _path_in(self, scope: Scope) -> str:
        """Return the path without the prefix that a proxy shows, whether it took that off or not."""
        path: str = scope["path"]
        prefix: str = scope.get("root_path") or self._prefix
        if prefix and path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
            return path[len(prefix) :] or "/"
        return path

    async def _hand_on(self, scope: Scope, path: str, receive: Receive, send: Send) -> None:
        prefix = scope.get("root_path") or self._prefix
        scope = {**scope, "path": prefix + path, "root_path": prefix}
        protection = self._guard.protection(dict(scope["headers"]).get(b"origin"))

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *protection]}
            await send(message)

        if scope["method"] == _HEAD:
            await _answer_head(self._behind, scope, receive, send_protected)
        else:
            await self._compression(scope, receive, send_protected)


async def _call(handler: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call a fast handler; it raises before its reply begins, if at all."""
    try:
        await handler(scope, receive, send)
    except MadsciError as error:
        await problem_of(error)(scope, receive, send)
    except ClientDisconnect:
        pass  # half a body is no event, and nobody waits for an answer
    except Exception:
        _logger.exception("Unexpected error while answering %s", scope["path"])
        await unexpected()(scope, receive, send)


async def _answer_head(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as to GET, without the body; a long one is broken off, as if the client had gone away."""
    is_over = False

    async def receive_until_over() -> Message:
        return {"type": "http.disconnect"} if is_over else await receive()

    async def send_head(message: Message) -> None:
        nonlocal is_over
        if is_over:
            return
        if message["type"] == "http.response.body":
            is_over = True
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    await app({**scope, "method": _GET, WANTS_HEAD: True}, receive_until_over, send_head)


def _wrong_method(method: str, path: str, methods: Collection[str]) -> Response:
    """Return the reply to a method that a path does not have; OPTIONS asks which it has."""
    known = {*methods, _OPTIONS, *([_HEAD] if _GET in methods else [])}
    allow = ", ".join(sorted(known))
    if method == _OPTIONS:
        return Response(status_code=204, headers={"Allow": allow})
    detail = f"{method} is no method of {path}. It has {allow}."
    return problem(405, detail[:1_000], headers={"Allow": allow})


_TOLD: Final = 5
"""Wrong names that a reply tells; one would do."""


def _refuse_unknown(query: bytes, known: frozenset[str]) -> Response | None:
    """Return the reply to parameters that are not known, or that are given twice, if there are such."""
    names = [name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)]
    wrong = {name: _unknown(name, known) for name in names if name not in known}
    for name in known:
        if names.count(name) > 1:
            wrong[name] = "it is given more than once"
    if not wrong:
        return None
    told = list(wrong.items())[:_TOLD]
    errors = [{"loc": ["query", name[:100]], "msg": message} for name, message in told]
    sentences = [f"{name[:100]!r}: {message}." for name, message in told]
    return problem(422, " ".join(sentences), "invalid-input", errors=errors)


def _unknown(name: str, known: frozenset[str]) -> str:
    if not known:
        return "there are no parameters here"
    near = nearest(name, known)
    guess = f"; did you mean {near}?" if near else "."
    return f"there is no such parameter{guess} There are {', '.join(sorted(known))}"
