"""The composition root: the only place that knows every part and joins them."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from madsci.common.clock import zone_named
from madsci.common.ids import new_ulid
from madsci.common.settings import resolve_madsci_path
from madsci.common.types.backup_settings import DEFAULT_SCHEDULE
from madsci.common.types.manager_settings import EventManagerSettings
from madsci.event_manager.alerts.configured import Alerting
from madsci.event_manager.alerts.dispatcher import Dispatcher
from madsci.event_manager.alerts.service import Alerts
from madsci.event_manager.analytics.follower import NAME as UTILIZATION
from madsci.event_manager.analytics.follower import UtilizationFollower
from madsci.event_manager.analytics.service import Reports
from madsci.event_manager.api.alerts import alert_operations
from madsci.event_manager.api.application import Application
from madsci.event_manager.api.backup import backup_operations
from madsci.event_manager.api.bodies import Bodies
from madsci.event_manager.api.events import event_operations
from madsci.event_manager.api.exporting import export_operations
from madsci.event_manager.api.followers import follower_operations
from madsci.event_manager.api.guard import Guard
from madsci.event_manager.api.ingest import IngestRoutes
from madsci.event_manager.api.live import live_operations
from madsci.event_manager.api.manager import manager_operations
from madsci.event_manager.api.operations import Operations
from madsci.event_manager.api.page_reply import ReplyRoom
from madsci.event_manager.api.rate_limit import RateLimit, Window
from madsci.event_manager.api.reports import report_operations
from madsci.event_manager.api.retention import retention_operations
from madsci.event_manager.api.summaries import summary_operations
from madsci.event_manager.backup.keeping import Keeping
from madsci.event_manager.backup.making import MakingBeside
from madsci.event_manager.backup.routine import Backups, BackupTask
from madsci.event_manager.backup.service import BackupService
from madsci.event_manager.feed.follower import Follower
from madsci.event_manager.feed.live import Live
from madsci.event_manager.feed.runner import Followers
from madsci.event_manager.feed.watching import Watching
from madsci.event_manager.health.monitor import Limits, Monitor
from madsci.event_manager.health.punctuality import Punctuality
from madsci.event_manager.ingest.admission import Admission
from madsci.event_manager.ingest.intake import Intake
from madsci.event_manager.ingest.own_events import PROGRAM, OwnEvents, Teller, tell_of_troubles
from madsci.event_manager.ingest.writer import Writer
from madsci.event_manager.model.ulid_sources import AS_STORED, ULIDS_ONLY, Encoding
from madsci.event_manager.retention.clock_guard import ClockGuard
from madsci.event_manager.retention.policy import Policy
from madsci.event_manager.retention.service import Retention, RetentionTask
from madsci.event_manager.search.service import Search
from madsci.event_manager.search.verification import VerificationTask
from madsci.event_manager.stores.base import EventStore
from madsci.event_manager.stores.factory import DEFAULT_STORE, StoreAddress, open_store, open_upkeep
from madsci.event_manager.stores.facts import remember
from madsci.event_manager.stores.upkeep import Upkeep
from madsci.event_manager.tasks.cron import Cron
from madsci.event_manager.tasks.runner import TaskRunner
from madsci.event_manager.tasks.schedule import Every
from madsci.event_manager.tasks.task import Task

_logger = logging.getLogger(__name__)

_LEAST: Final = 0.5
"""Seconds that each part has to end in, also where those before it took all the time there is."""


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
    alerting: Alerting
    follows: Sequence[Follower] = ()
    """What concludes something from the events that are committed, beside alerts and reports."""
    own_events: OwnEvents = field(init=False)
    followers: Followers = field(init=False)
    reports: Reports = field(init=False)
    alerts: Alerts = field(init=False)
    dispatcher: Dispatcher = field(init=False)
    live: Live = field(init=False)
    watching: Watching = field(init=False)
    retention: Retention = field(init=False)
    upkeep: Upkeep | None = field(init=False)
    """Looks after the database for the backups; none where there is nothing on disk."""
    making: MakingBeside = field(init=False)
    """Makes their data beside the server."""
    backups: Backups = field(init=False)
    runner: TaskRunner = field(init=False)
    monitor: Monitor = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        teller = Teller({"manager_id": self.manager_id}, _name_of(settings))
        self.own_events = OwnEvents(self.writer, teller)
        alerting = self.alerting
        following: list[Follower] = [alerting.follower(), UtilizationFollower(), *self.follows]
        self.followers = Followers(self.store, following)
        self.reports = Reports(
            self.store,
            self.search.answer,
            lambda: self.followers.lag(UTILIZATION),
            settings.report_dir,
        )
        self.alerts = alerting.service(self.store, self.own_events)
        self.dispatcher = alerting.dispatcher(self.store)
        self.writer.when_committed(lambda _: self.followers.wake())
        self.live = Live(self.store, self.search.ask_beside)
        self.writer.when_committed(lambda _: self.live.wake())
        self.watching = Watching(self.store, self.live, self.search.answer)
        address = _address(settings)
        self.upkeep = None if address.is_in_memory else open_upkeep(address)
        self.making = MakingBeside(address)
        self.backups = _backups(settings, self.making, self.upkeep, self.own_events)
        schedule = Every(settings.retention_check_interval_hours)
        self.retention = Retention(
            self.store,
            Policy.from_settings(settings, zone_named(settings.naive_timezone)),
            self.own_events,
            batch_size=settings.archive_batch_size,
            max_batches=settings.max_batches_per_run,
            guard=ClockGuard(self.store, schedule.width),
            back_up=self.backups.before_purge if settings.backup_before_purge else None,
        )
        # A server of its own among all that share the store, whatever manager it stands for.
        self.runner = TaskRunner(
            self.store,
            self._tasks(schedule),
            new_ulid(),
            self.own_events,
            ends_on_failure={RetentionTask.name} if settings.fail_on_retention_error else (),
        )
        punctuality = Punctuality()
        self.writer.when_committed(punctuality.see)
        limits = Limits(settings.disk_warning_bytes, settings.disk_warning_days)
        self.monitor = Monitor(
            self.store,
            self.writer,
            self.runner,
            self.followers,
            punctuality,
            alerting.alarm(self.own_events, self.dispatcher),
            limits,
            package_version(),
        )

    def _tasks(self, schedule: Every) -> list[Task]:
        tasks: list[Task] = []
        if self.settings.retention_enabled:
            tasks.append(RetentionTask(self.retention, schedule))
        if self.settings.backup_enabled:
            tasks.append(BackupTask(self.backups, _backup_schedule(self.settings)))
        if self.store.readable_at is not None:
            tasks.append(VerificationTask(self.search, self.store))
        return [*tasks, self.alerting.tidying(self.store)]

    @classmethod
    def join(cls, settings: EventManagerSettings, follows: Sequence[Follower] = ()) -> Parts:
        """Open the store and make what works on it.

        Raises:
            SettingsError: a setting cannot be used.
            StoreError: the store cannot be opened.
        """
        # Before anything is opened: what cannot be used is said at once.
        Policy.from_settings(settings, zone_named(settings.naive_timezone))
        alerting = Alerting.from_settings(settings)
        store = open_store(_address(settings))
        tell_of_troubles(store)
        name = _name_of(settings)
        # A manager keeps its id over restarts: it stands in every event that it is the source of.
        manager_id = settings.manager_id or remember(store, f"manager_id/{name}", new_ulid())
        writer = Writer(store, max_events=settings.ingest_queue_events)
        search = Search(
            store,
            seconds=settings.query_timeout_seconds,
            places=settings.query_processes,
            encoding=_encoding(settings),
        )
        return cls(settings, store, writer, search, manager_id, alerting, follows)

    def start(self) -> None:
        """Begin to write and to do what is due; called on the event loop."""
        self.writer.start()
        self.live.start()
        self.followers.start()
        self.dispatcher.start()
        self.search.start()
        self.runner.start()
        self.monitor.start()

    def end_streams(self) -> None:
        """Tell who watches where to go on; called on the event loop, before requests are waited for."""
        self.watching.end("The server stops.")

    def stop_tasks(self, deadline: float) -> None:
        """Leave off what is not a request by the monotonic time, while its events can be written."""
        if not self.monitor.close(_until(deadline)):
            _logger.error("The event store does not answer; the server stops without waiting for it")
        self.making.close()
        self.retention.close()
        if not self.runner.close(_until(deadline)):
            _logger.error("A task did not leave off in time; it is done again after the next start")

    def close(self, deadline: float) -> None:
        """Write what was accepted by the monotonic time, then close the store."""
        if self.writer.started and not self.writer.close(_until(deadline)):
            _logger.error(
                "%d events still waited to be written when the time for stopping was over;"
                " they were not acknowledged",
                self.writer.stats.queued,
            )
        if not self.followers.close(_until(deadline)):
            _logger.error("A follower did not leave off in time; it goes on after the next start")
        if not self.live.close(_until(deadline)):
            _logger.error("The feed is still being read; the server stops without waiting for it")
        if not self.dispatcher.close(_until(deadline)):
            _logger.error("A message was still being sent; it is sent again if that fails")
        self.search.close()
        if self.upkeep is not None:
            self.upkeep.close()
        self.store.close()


def _until(deadline: float) -> float:
    """Return how many seconds are left: all who are waited for share them, and each has some."""
    return max(_LEAST, deadline - time.monotonic())


def _name_of(settings: EventManagerSettings) -> str:
    return settings.manager_name or PROGRAM.name


def _encoding(settings: EventManagerSettings) -> Encoding:
    return ULIDS_ONLY if settings.ulid_sources_only else AS_STORED


def _address(settings: EventManagerSettings) -> StoreAddress:
    return StoreAddress(
        settings.db_url,
        resolve_madsci_path(DEFAULT_STORE),
        settings.database_name,
        settings.collection_name,
        settings.integrity_check_seconds,
    )


def _backups(
    settings: EventManagerSettings,
    making: MakingBeside,
    upkeep: Upkeep | None,
    own_events: OwnEvents,
) -> Backups:
    service = None
    if upkeep is not None:
        keeping = Keeping(
            settings.backup_max_count,
            settings.backup_keep_daily,
            settings.backup_keep_weekly,
            settings.backup_keep_monthly,
        )
        service = BackupService(upkeep, settings.backup_dir, keeping=keeping, making=making)
    return Backups(service, own_events)


def _backup_schedule(settings: EventManagerSettings) -> Cron:
    return Cron(settings.backup_schedule or DEFAULT_SCHEDULE, zone_named(settings.naive_timezone))


def build_app(parts: Parts) -> FastAPI:
    """Return the web application over the parts; its lifespan starts and closes them."""
    settings = parts.settings
    name = _name_of(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        parts.start()
        try:
            yield
        finally:
            seconds, now = settings.shutdown_timeout_seconds, time.monotonic()
            parts.end_streams()
            await run_in_threadpool(parts.stop_tasks, now + seconds / 2)
            parts.writer.refuse()
            await run_in_threadpool(parts.close, now + seconds)

    guard = Guard(settings.cors_origins, [settings.host, *settings.allowed_hosts])
    return Application(
        _operations(parts, guard),
        guard,
        prefix=settings.root_path,
        title=name,
        description=settings.manager_description or f"{name} Manager",
        version=package_version(),
        lifespan=lifespan,
        limit=_rate_limit(settings) if settings.rate_limit_enabled else None,
    )


def _operations(parts: Parts, guard: Guard) -> Operations:
    settings, zone = parts.settings, zone_named(parts.settings.naive_timezone)
    definition: dict[str, Any] = {**settings.definition(), "manager_id": parts.manager_id}
    admission = Admission(
        max_body_bytes=settings.max_body_bytes, max_bytes_in_work=settings.ingest_queue_bytes
    )
    bodies, room = Bodies(admission), ReplyRoom()
    table = Operations()
    for topic in (
        _ingest(parts, admission, zone).operations(),
        event_operations(parts.search, bodies, room, zone),
        summary_operations(parts.search, bodies, zone),
        export_operations(parts.search, bodies, zone),
        live_operations(parts.watching, bodies, _encoding(settings), zone),
        retention_operations(parts.retention, parts.search, parts.runner, bodies, room, settings, zone),
        backup_operations(parts.backups, bodies, settings),
        report_operations(parts.reports, guard, zone),
        follower_operations(parts.followers, bodies),
        alert_operations(parts.alerts, parts.search, bodies, zone),
        manager_operations(settings, definition, parts.monitor),
    ):
        table.extend(topic)
    return table


def _ingest(parts: Parts, admission: Admission, zone: tzinfo | None) -> IngestRoutes:
    settings = parts.settings
    intake = Intake(
        own_source={"manager_id": parts.manager_id},
        naive_zone=zone,
        promote_event_type=settings.promote_event_type,
        max_event_bytes=settings.max_event_bytes,
    )
    return IngestRoutes(
        intake,
        replace(intake, keep_received_at=True, promote_event_type=False),
        parts.writer,
        admission,
        _encoding(settings).one,
    )


def _rate_limit(settings: EventManagerSettings) -> Callable[[ASGIApp], ASGIApp]:
    windows = [Window(settings.rate_limit_requests, settings.rate_limit_window)]
    if settings.rate_limit_short_requests and settings.rate_limit_short_window:
        windows.append(
            Window(settings.rate_limit_short_requests, settings.rate_limit_short_window, "Burst")
        )
    exempt = settings.rate_limit_exempt_ips

    def limited(app: ASGIApp) -> ASGIApp:
        limit = RateLimit(
            app, windows=windows, exempt=frozenset(["127.0.0.1", "::1"] if exempt is None else exempt)
        )
        # Who asks through a proxy of this machine is told by its headers.
        return ProxyHeadersMiddleware(limit)  # type: ignore[arg-type,return-value]

    return limited
