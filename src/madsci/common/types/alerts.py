"""How alerts reach people by e-mail."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from madsci.common.settings import SecretsMasked, SettingTraits


class EmailAlertsConfig(SecretsMasked):
    """The mail server that takes alerts, and the people who get them."""

    smtp_server: str = Field(
        default="smtp.example.com",
        description="Host name of the mail server; the default is a placeholder.",
    )
    smtp_port: int = Field(
        default=587,
        ge=1,
        le=65535,
        description="Port of the mail server; 587 is that of mail submission.",
    )
    smtp_username: Annotated[str | None, SettingTraits(secret=True)] = Field(
        default=None, description="User at the mail server; none for servers that ask for no login."
    )
    smtp_password: Annotated[str | None, SettingTraits(secret=True)] = Field(
        default=None, description="Password at the mail server; best given by the environment."
    )
    use_tls: bool = Field(
        default=True, description="Encrypt by STARTTLS; on, so that no password travels in clear."
    )
    sender: str = Field(
        default="no-reply@example.com",
        description="Address in the From line; the default is a placeholder.",
    )
    default_importance: str = Field(
        default="Normal", description="Importance header of the mails: High, Normal or Low."
    )
    email_addresses: list[str] = Field(
        default_factory=list, description="Who gets the mails; nobody until somebody is named."
    )


_NAME = r"^[a-z][a-z0-9_-]{0,39}$"


class WebhookConfig(SecretsMasked):
    """A program that is told of alerts: an address that takes JSON by POST."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(
        default="webhook", pattern=_NAME, description="By which routes and the log call it."
    )
    url: Annotated[str, SettingTraits(secret=True)] = Field(
        description="Where it is: http:// or https://; often a secret in itself."
    )
    secret: Annotated[str | None, SettingTraits(secret=True)] = Field(
        default=None,
        description="Signs each message by Standard Webhooks: whsec_ and base64, or any text; none.",
    )
    headers: Annotated[dict[str, str], SettingTraits(secret=True)] = Field(
        default_factory=dict, max_length=20, description="Further headers, such as Authorization."
    )
    template: dict[str, Any] | None = Field(
        default=None,
        description="JSON in whose texts $title, $text, $alert.severity… are replaced; the document.",
    )
    allow_private: bool = Field(
        default=False,
        description="Whether it may be in the lab's own network; off, so that no setting reaches in.",
    )


class AppriseConfig(SecretsMasked):
    """Anything else that the Apprise library reaches: Slack, Teams, Discord, ntfy, SMS."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: str = Field(
        default="apprise", pattern=_NAME, description="By which routes and the log call it."
    )
    url: Annotated[str, SettingTraits(secret=True)] = Field(
        description="As Apprise writes it, such as slack://TokenA/TokenB/TokenC/#alerts."
    )
