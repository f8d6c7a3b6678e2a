"""The web application in process, over a real store, as another program on the network meets it."""

from __future__ import annotations

import contextlib

import pytest
from starlette.testclient import TestClient

from madsci.common.types.event_types import EventManagerSettings
from madsci.event_manager.alerts.configured import Alerting
from madsci.event_manager.app import Parts, build_app
from madsci.event_manager.ingest.writer import Writer
from madsci.event_manager.search.service import Search


@pytest.fixture(autouse=True)
def lab(tmp_path, monkeypatch):
    """A directory without settings of anybody else."""
    (tmp_path / ".madsci").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("EVENT_SERVER_URL", "EVENT_DB_URL", "MONGO_DB_URL", "DB_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def serve(lab):
    """Make clients of servers with given settings, and with a given store if one is given."""
    with contextlib.ExitStack() as stack:

        def make(store=None, middleware=None, **values) -> TestClient:
            values.setdefault("db_url", f"sqlite:///{lab / 'events.db'}")
            values.setdefault("query_processes", 0)  # the same answers, without starting processes
            settings = EventManagerSettings(**values)
            if store is None:
                parts = Parts.join(settings)
            else:
                writer = Writer(store, max_events=settings.ingest_queue_events)
                search = Search(store, seconds=settings.query_timeout_seconds)
                parts = Parts(
                    settings, store, writer, search, "manager", Alerting.from_settings(settings)
                )
            app = build_app(parts)
            if middleware is not None:
                app.add_middleware(middleware)
            return stack.enter_context(
                TestClient(app, base_url=settings.server_url.rstrip("/"), raise_server_exceptions=False)
            )

        yield make


@pytest.fixture
def client(serve):
    return serve()
