"""Whatever becomes of its connections, a tail gives every event once, in order."""

from __future__ import annotations

import contextlib
import io
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from madsci.client.delivery import Backoff
from madsci.client.delivery.access import ServerAccess
from madsci.client.delivery.http import HttpTransport
from madsci.client.reading.asking import Asker
from madsci.client.reading.resuming import LiveQuestion, ResumingStream
from madsci.client.reading.tail import Tail
from madsci.common.types.client_config import EventClientConfig
from support.live_peer import Reply, end_line, event_line, live_peer, place, standing_line

EVENTS = 12


def cut_after(size: int, pieces: int, *, has_end: bool):
    """Behave until so many bytes have been sent, in so many pieces; then the connection breaks."""

    def script(reply: Reply) -> None:
        number = int(reply.asked.params["since"].rpartition("-")[2])
        lines = [standing_line(number, is_live=False, missed=1)]
        lines += [event_line(one) for one in range(number + 1, EVENTS + 1)]
        said = (b"".join(lines) + standing_line(EVENTS) + has_end * end_line(EVENTS))[:size]
        step = -(-len(said) // pieces) or 1
        reply.begin().write(*(said[at : at + step] for at in range(0, len(said), step)))

    return script


def refuse(reply: Reply) -> None:
    reply.refuse(503)


def hang_up(_: Reply) -> None:
    pass


breaks = st.one_of(
    st.builds(cut_after, st.integers(0, 3_000), st.integers(1, 7), has_end=st.booleans()),
    st.sampled_from([refuse, hang_up]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(breaks, max_size=8))
def test_breaks_at_any_byte_make_no_gap_and_no_repetition(scripts):
    said: list[str] = []
    question = LiveQuestion({}, b"{}", 10.0, 10.0, Backoff(base=0.001, cap=0.001))
    console = io.StringIO()
    with live_peer() as peer, contextlib.redirect_stderr(console):
        peer.happen(EVENTS)
        peer.script = [lambda reply: reply.begin().write(standing_line(0, is_live=False)), *scripts]
        asker = Asker(HttpTransport(ServerAccess(peer.url)), EventClientConfig(retry_enabled=False))
        with Tail(ResumingStream(asker, question, said.append), place(0)) as tail:
            seen = [event.event_data["number"] for event in islice(tail, EVENTS)]
            assert seen == list(range(1, EVENTS + 1))
            assert tail.position == place(EVENTS)
    assert console.getvalue() == ""  # no half line was joined with another
