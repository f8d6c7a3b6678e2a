"""What the settings say about alerts, checked before anything is opened; and the parts made from it."""

from __future__ import annotations

from datetime import tzinfo
from typing import NamedTuple, Protocol

from madsci.common.clock import zone_named
from madsci.common.errors import InvalidInputError, SettingsError
from madsci.common.types.manager_settings import EventManagerSettings
from madsci.event_manager.alerts.alarm import Alarm, Recorder
from madsci.event_manager.alerts.calendar import Audience, Calendar
from madsci.event_manager.alerts.channel import Channel, Message
from madsci.event_manager.alerts.channels import channels_of
from madsci.event_manager.alerts.defaults import default_rules
from madsci.event_manager.alerts.dispatcher import Dispatcher
from madsci.event_manager.alerts.evidence import gather
from madsci.event_manager.alerts.follower import AlertFollower
from madsci.event_manager.alerts.line import DispatchStore
from madsci.event_manager.alerts.links import Links
from madsci.event_manager.alerts.notice import Notice
from madsci.event_manager.alerts.rendering import render
from madsci.event_manager.alerts.service import Alerts, Teller
from madsci.event_manager.alerts.shelf import Shelf
from madsci.event_manager.alerts.tidying import TidyingTask
from madsci.event_manager.stores.base import EventReader, Tables


class AlertStore(DispatchStore, EventReader, Protocol):
    """Small tables and leases, and the events that messages show."""


class Alerting(NamedTuple):
    """The rules, channels and times of a lab. Its parts are joined to a store each."""

    shelf: Shelf
    channels: list[Channel]
    calendar: Calendar
    links: Links
    zone: tzinfo | None

    @classmethod
    def from_settings(cls, settings: EventManagerSettings) -> Alerting:
        """Return what the settings say.

        Raises:
            SettingsError: a rule, a channel or a route cannot be used.
        """
        zone = zone_named(settings.naive_timezone)
        channels = channels_of(settings.email_alerts, settings.alert_webhooks, settings.alert_apprise)
        routes, quiet = settings.alert_routes, settings.alert_quiet_hours
        names = [one.name for one in channels]
        calendar = Calendar(routes, quiet, settings.alert_maintenance, zone, names)
        try:
            shelf = Shelf(default_rules(settings.alert_level), settings.alert_rules, zone)
        except InvalidInputError as error:
            raise SettingsError(f"alert_rules: {error.message}") from error
        links = Links(settings.alert_url or settings.server_url)
        return cls(shelf, channels, calendar, links, zone)

    def follower(self) -> AlertFollower:
        """Return what follows the feed and decides who is told of what."""
        return AlertFollower(self.shelf.rulebook, Audience(self.calendar, self.channels))

    def dispatcher(self, store: AlertStore) -> Dispatcher:
        """Return what sends it."""

        def rendered(notice: Notice) -> Message:
            return render(notice, gather(store, notice), self.links, self.zone)

        return Dispatcher(store, self.channels, rendered)

    def alarm(self, events: Recorder, dispatcher: Dispatcher) -> Alarm:
        """Return what tells people that the recorder itself is not well."""
        return Alarm(events, dispatcher, self.channels)

    def service(self, tables: Tables, teller: Teller) -> Alerts:
        """Return what can be asked."""
        return Alerts(tables, self.shelf, self.channels, teller)

    def tidying(self, tables: DispatchStore) -> TidyingTask:
        """Return the task that removes what is old."""
        return TidyingTask(tables, self.channels)
