"""Running a server of the standard library beside a test."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from socketserver import BaseServer


@contextlib.contextmanager
def serving(server: BaseServer, release: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Serve for the length of a block; ``release`` lets go of requests that are held up."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        release()
        server.shutdown()
        thread.join()
        server.server_close()
