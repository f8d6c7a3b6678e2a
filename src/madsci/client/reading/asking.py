"""Questions to an Event Manager, repeated while their trouble may pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from madsci.client.delivery import MAX_BACKOFF, Reply, StreamedReply, Underway, parse_retry_after
from madsci.common.errors import QueryTimeoutError, ServerRefusedError, ServerUnreachableError
from madsci.common.types.client_config import EventClientConfig

if TYPE_CHECKING:
    from madsci.client.delivery.http import HttpTransport

_OK: Final = 200

_Answer = TypeVar("_Answer", Reply, StreamedReply)


class Asker:
    """Makes requests as the configuration's ``retry_*`` and ``timeout_*`` say. Thread-safe."""

    def __init__(self, transport: HttpTransport, config: EventClientConfig) -> None:
        self.url = transport.url
        self._transport = transport
        self._config = config

    def ask(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        timeout: float | None,
        *,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        repeat: bool = True,
    ) -> Reply:
        """Return the reply, whatever it says. The timeout (in seconds) covers all attempts.

        ``repeat`` is false for what must not be done twice: a reply that is lost does not say whether
        the server did it.

        Raises:
            ServerUnreachableError: no reply came in time.
        """

        def attempt(left: float) -> Reply:
            return self._transport.ask(method, path, params=params, body=body, timeout=left)

        seconds = self._config.timeout_default if timeout is None else timeout
        return self._repeat(attempt, seconds) if repeat else attempt(seconds)

    def stream(  # noqa: PLR0913 - the parts of a request
        self,
        path: str,
        timeout: float | None,
        *,
        params: Mapping[str, Any],
        body: bytes,
        headers: Mapping[str, str] | None = None,
        underway: Underway | None = None,
        repeat: bool = True,
    ) -> StreamedReply:
        """Post a question and return the reply as it begins; the caller closes it.

        The timeout covers each wait for more of the reply. ``underway`` may end these waits.

        Raises:
            ServerUnreachableError: no reply came in time.
            ServerRefusedError: the server answered with an error.
        """
        seconds = self.data_seconds(timeout)

        def attempt(_: float) -> StreamedReply:
            return self._transport.stream(
                "POST",
                path,
                params=params,
                body=body,
                headers=headers,
                timeout=seconds,
                underway=underway,
            )

        streamed = self._repeat(attempt, seconds) if repeat else attempt(seconds)
        if streamed.refused is not None:
            raise self.refusal(streamed.refused, "POST", path)
        return streamed

    def post_lines(self, path: str, body: bytes, timeout: float | None) -> Reply:
        """Post newline-delimited JSON and return the reply. The timeout covers all attempts.

        Raises:
            ServerUnreachableError: no reply came in time.
        """

        def attempt(left: float) -> Reply:
            return self._transport.post_lines(path, body, left)

        return self._repeat(attempt, self.data_seconds(timeout))

    def read_object(self, reply: Reply, method: str, path: str) -> dict[str, Any]:
        """Return the JSON object of a reply.

        Raises:
            ServerRefusedError: the reply is an error, or no JSON object.
        """
        if reply.status != _OK:
            raise self.refusal(reply, method, path)
        document = reply.document()
        if isinstance(document, dict):
            return document
        raise self.stranger(reply, method, path)

    def refusal(self, reply: Reply, method: str, path: str) -> ServerRefusedError:
        """Return the error that says what the reply says."""
        return self._transport.refusal(reply, method, path)

    def stranger(self, reply: Reply, method: str, path: str) -> ServerRefusedError:
        """Return the error that says that no Event Manager answers like this."""
        return ServerRefusedError(
            f"What answers at {self._transport.url} is not an Event Manager: {method} /{path} gave"
            f" {reply.body[:80]!r}. Set event_server_url to the address of one.",
            status=reply.status,
        )

    def data_seconds(self, timeout: float | None) -> float:
        """Return the timeout of a question that makes the server compute."""
        return self._config.timeout_data_operations if timeout is None else timeout

    def _repeat(self, attempt: Callable[[float], _Answer], seconds: float) -> _Answer:
        config = self._config
        deadline = time.monotonic() + seconds
        retries = config.retry_total if config.retry_enabled else 0
        for number in range(retries + 1):
            left = seconds if number == 0 else deadline - time.monotonic()
            delay = min(config.retry_backoff_factor * 2.0 ** min(number, 30), MAX_BACKOFF)
            try:
                answer = attempt(left)
            except ServerUnreachableError:
                if number == retries or time.monotonic() + delay >= deadline:
                    raise
            else:
                delay = max(delay, parse_retry_after(answer.headers.get("Retry-After")) or 0.0)
                is_final = answer.status not in config.retry_status_forcelist or _took_too_long(answer)
                if is_final or number == retries or time.monotonic() + delay >= deadline:
                    return answer
            time.sleep(delay)
        raise AssertionError("the last attempt returns or raises")


def _took_too_long(answer: Reply | StreamedReply) -> bool:
    """Tell whether the question itself exceeded its time: asked again, it would do so again."""
    refused = answer.refused if isinstance(answer, StreamedReply) else answer
    if refused is None or refused.status != HTTPStatus.GATEWAY_TIMEOUT:
        return False
    document = refused.document()
    return isinstance(document, dict) and document.get("code") == QueryTimeoutError.code
