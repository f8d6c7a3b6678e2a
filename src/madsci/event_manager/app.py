"""The composition root: the only place that knows every part and joins them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from madsci.common.clock import zone_named
from madsci.common.ids import new_ulid
from madsci.common.settings import resolve_madsci_path
from madsci.common.types.manager_settings import EventManagerSettings
from madsci.event_manager.api import problems
from madsci.event_manager.api.events import events_router
from madsci.event_manager.api.exporting import export_router
from madsci.event_manager.api.ingest import IngestRoutes
from madsci.event_manager.api.manager import manager_router
from madsci.event_manager.api.openapi import describe_hot_routes
from madsci.event_manager.api.rate_limit import RateLimit, Window
from madsci.event_manager.api.summaries import summaries_router
from madsci.event_manager.health import HealthCheck
from madsci.event_manager.ingest.admission import Admission
from madsci.event_manager.ingest.intake import Intake
from madsci.event_manager.ingest.writer import Writer
from madsci.event_manager.search.service import Search
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.stores.factory import Place, open_store

DEFAULT_STORE = ".madsci/events/events.db"

_logger = logging.getLogger(__name__)


def package_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return version("madsci.event_manager")
    except PackageNotFoundError:
        return "unknown"


@dataclass
class Parts:
    """The parts of a running Event Manager, joined from its settings.

    Making them opens the store; ``close`` gives it back.
    """

    settings: EventManagerSettings
    store: EventStore
    writer: Writer
    search: Search
    manager_id: str

    @classmethod
    def join(cls, settings: EventManagerSettings) -> Parts:
        """Open the store and make what works on it.

        Raises:
            SettingsError: a setting cannot be used.
            StoreError: the store cannot be opened.
        """
        store = open_store(
            Place(
                settings.db_url,
                resolve_madsci_path(DEFAULT_STORE),
                settings.database_name,
                settings.collection_name,
                settings.integrity_check_seconds,
            )
        )
        name = settings.manager_name or "EventManager"
        # A manager keeps its id over restarts: it stands in every event that it is the source of.
        manager_id = settings.manager_id or store.remember(f"manager_id/{name}", new_ulid())
        writer = Writer(store, max_events=settings.ingest_queue_events)
        search = Search(store, seconds=settings.query_timeout_seconds, places=settings.query_processes)
        return cls(settings, store, writer, search, manager_id)

    def close(self) -> None:
        """Write what was accepted, then close the store."""
        if self.writer.started and not self.writer.close(self.settings.shutdown_timeout_seconds):
            _logger.error(
                "%d events still waited to be written when the time for stopping was over;"
                " they were not acknowledged",
                self.writer.stats.queued,
            )
        self.search.close()
        self.store.close()


def build_app(parts: Parts) -> tuple[FastAPI, IngestRoutes]:
    """Return the web application over the parts; its lifespan starts and closes them.

    With it come the routes that ``HotRoutes`` may answer in its place.
    """
    settings = parts.settings
    name = settings.manager_name or "EventManager"
    zone = zone_named(settings.naive_timezone)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        parts.writer.start()
        try:
            yield
        finally:
            parts.writer.refuse()
            await run_in_threadpool(parts.close)

    app = FastAPIOffline(
        title=name,
        description=settings.manager_description or f"{name} Manager",
        version=package_version(),
        lifespan=lifespan,
    )
    definition: dict[str, Any] = {**settings.definition(), "manager_id": parts.manager_id}
    app.include_router(events_router(parts.store, parts.search, zone))
    app.include_router(summaries_router(parts.search, zone))
    app.include_router(export_router(parts.search, zone))
    app.include_router(
        manager_router(settings, definition, HealthCheck(parts.store, parts.writer, app.version))
    )
    problems.install(app)
    intake = Intake(
        own_source={"manager_id": parts.manager_id},
        naive_zone=zone,
        promote_event_type=settings.promote_event_type,
        max_event_bytes=settings.max_event_bytes,
    )
    ingest = IngestRoutes(
        intake,
        replace(intake, keep_received_at=True, promote_event_type=False),
        parts.writer,
        Admission(
            max_body_bytes=settings.max_body_bytes,
            max_bytes_in_work=settings.ingest_queue_bytes,
        ),
    )
    app.router.routes.extend(ingest.routes())
    describe_hot_routes(app)
    # The middleware added last is the outermost.
    if settings.rate_limit_enabled:
        _add_rate_limit(app, settings, ingest)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=[
            "X-Next-Cursor",
            "X-Event-Duplicate",
            "X-Event-Warning",
            "X-Total-Count",
            "Content-Disposition",
        ],
    )
    return app, ingest


def _add_rate_limit(app: FastAPI, settings: EventManagerSettings, ingest: IngestRoutes) -> None:
    windows = [Window(settings.rate_limit_requests, settings.rate_limit_window)]
    if settings.rate_limit_short_requests and settings.rate_limit_short_window:
        windows.append(
            Window(settings.rate_limit_short_requests, settings.rate_limit_short_window, "Burst")
        )
    exempt = settings.rate_limit_exempt_ips
    app.add_middleware(
        RateLimit,
        windows=windows,
        exempt=frozenset(["127.0.0.1", "::1"] if exempt is None else exempt),
        unlimited=ingest.table.keys(),
    )
