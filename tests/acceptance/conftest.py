from __future__ import annotations

import pytest

from support.browser import running_browser
from support.disks import small_disk
from support.server import ServerProcess, running_server


@pytest.fixture
def server(tmp_path):
    """A running Event Manager with an empty store of its own."""
    with running_server(tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    """A running Event Manager that the tests of a module share."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def disk(tmp_path):
    """An empty disk of 30 MB."""
    with small_disk(tmp_path) as disk:
        yield disk


@pytest.fixture
def server_on_disk(disk, tmp_path):
    """An Event Manager, not started yet, whose events are on that disk."""
    server = ServerProcess(tmp_path, EVENT_DB_URL=f"sqlite:///{disk.path / 'events.db'}")
    yield server
    if server.process is not None and server.process.poll() is None:
        server.kill()


@pytest.fixture(scope="module")
def browser():
    """A browser without a window; see `support.browser`."""
    with running_browser() as browser:
        yield browser
