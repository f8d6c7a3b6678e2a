from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_spool(tmp_path_factory):
    """Clients of tests keep their waiting events among the tests' files, not in the user's home."""
    before = os.environ.get("EVENT_CLIENT_SPOOL_DIR")
    os.environ["EVENT_CLIENT_SPOOL_DIR"] = str(tmp_path_factory.mktemp("spool"))
    yield
    if before is None:
        del os.environ["EVENT_CLIENT_SPOOL_DIR"]
    else:
        os.environ["EVENT_CLIENT_SPOOL_DIR"] = before
