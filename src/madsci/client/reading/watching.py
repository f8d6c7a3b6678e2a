"""What an ``EventClient`` does to watch events arrive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from madsci.client.reading.argument_types import Moment
from madsci.client.reading.questions import Questions

if TYPE_CHECKING:
    from collections import deque

    from madsci.client.reading.async_tail import AsyncTail
    from madsci.client.reading.live_lines import Line
    from madsci.client.reading.resuming import LiveQuestion, ResumingStream
    from madsci.client.reading.tail import Tail


class Watching(Questions):
    """The half of reading that does not end. Thread-safe."""

    def tail(  # noqa: PLR0913 - what a watcher can choose
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        since: Moment | None = None,
        level: object = None,
        include_archived: bool = True,
        timeout: float | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> Tail:
        """Yield the events that match as the server takes them, for ever, in the order of its commits.

        ``since`` begins earlier: at a time (``"-1h"``, ``"today"``, a datetime), with the newest
        so many (``"last:100"``), with the first of all (``"start"``), or where another tail stood
        (its ``position``). ``level`` is the lowest that is wanted. An event on which an alert is
        raised later comes again, as it is then.

        The connection is made by this call, with ``timeout`` seconds of patience, ``None`` for
        ``timeout_default``. When it breaks later, the iteration goes on where it stood as soon as the
        server is back; that is told to ``tell``, by default on the local console, once a minute.
        ``close`` ends it.

        Raises:
            ServerUnreachableError: the server does not answer in time.
            ServerRefusedError: the server answers with an error, or is too old for this.
            EventServerError: no server is configured.
            TypeError, ValueError: the selector, the level or ``since`` cannot be meant.
        """
        from madsci.client.reading.tail import Tail  # noqa: PLC0415 - most programs only log

        question, place = self._live_question(
            selector, since, level, timeout, archived=include_archived
        )
        self._required_connection()
        self._flush_own_events(timeout)
        return Tail(self._stream(question, tell), place)

    def async_tail(  # noqa: PLR0913 - see tail
        self,
        selector: Mapping[str, Any] | None = None,
        *,
        since: Moment | None = None,
        level: object = None,
        include_archived: bool = True,
        timeout: float | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> AsyncTail:
        """Do what ``tail`` does, in threads, without holding up the event loop.

        The connection is made by the first event that is asked for, or by ``async with``, which also
        raise what ``tail`` raises about the server; ``aclose`` ends it.
        """
        from madsci.client.reading.async_tail import AsyncTail  # noqa: PLC0415 - see tail

        question, place = self._live_question(
            selector, since, level, timeout, archived=include_archived
        )
        self._required_connection()

        def begin(stream: ResumingStream, lines: deque[Line]) -> None:
            self._flush_own_events(timeout)
            stream.open(place, lines)

        return AsyncTail(lambda: self._stream(question, tell), begin)

    def _stream(self, question: LiveQuestion, tell: Callable[[str], object] | None) -> ResumingStream:
        from madsci.client.reading.asking import Asker  # noqa: PLC0415 - see tail
        from madsci.client.reading.resuming import ResumingStream  # noqa: PLC0415

        asker = Asker(self._required_connection(), self.config)
        return ResumingStream(asker, question, tell)

    def _live_question(
        self,
        selector: Mapping[str, Any] | None,
        since: Moment | None,
        level: object,
        timeout: float | None,
        *,
        archived: bool,
    ) -> tuple[LiveQuestion, str | None]:
        """Return the question as it is sent, and where to begin."""
        from madsci.client.reading.request_parts import live_params, question_body, since_text  # noqa: PLC0415
        from madsci.client.reading.resuming import LiveQuestion  # noqa: PLC0415 - see tail

        seconds = self.config.timeout_default if timeout is None else timeout
        params = live_params(level, archived=archived)
        return LiveQuestion(params, question_body(selector), seconds), since_text(since)
