"""The settings of an Event Manager about alerts."""

from __future__ import annotations

from pydantic import BaseModel, Field

from madsci.common.settings import HttpUrl, LevelSetting
from madsci.common.types.alert_rules import AlertRule
from madsci.common.types.alert_times import AlertRoute, Maintenance, QuietHours
from madsci.common.types.alerts import AppriseConfig, EmailAlertsConfig, WebhookConfig
from madsci.common.types.log_level import EventLogLevel


class AlertSettings(BaseModel):
    """What ``EventManagerSettings`` has about alerts."""

    alert_level: LevelSetting = Field(
        default=EventLogLevel.ERROR,
        description="Lowest level that alerts people; errors need somebody.",
    )
    email_alerts: EmailAlertsConfig | None = Field(
        default=None, description="How alerts are mailed; nothing is mailed until this is set."
    )
    alert_webhooks: list[WebhookConfig] = Field(
        default_factory=list, description="Programs that are told of alerts; none."
    )
    alert_apprise: list[AppriseConfig] = Field(
        default_factory=list,
        description="Chats, phones and others that the Apprise library reaches; none.",
    )
    alert_rules: list[AlertRule] = Field(
        default_factory=list,
        description="Rules beside those that there are, or in the place of those of their name.",
    )
    alert_routes: list[AlertRoute] = Field(
        default_factory=list, description="Who is told of what; everybody of everything."
    )
    alert_quiet_hours: list[QuietHours] = Field(
        default_factory=list, description="When people are told of what is grave only; never."
    )
    alert_maintenance: list[Maintenance] = Field(
        default_factory=list, description="When nobody is told, since somebody works there."
    )
    alert_url: HttpUrl | None = Field(
        default=None, description="Where links in messages lead; none for server_url."
    )
