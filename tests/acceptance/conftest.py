from __future__ import annotations

import pytest

from support.server import running_server


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
