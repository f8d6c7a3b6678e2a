"""How alerts reach people: by e-mail, by webhooks, and over services that Apprise knows."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ConfigDict, Field

from madsci.common.settings import SecretsMasked, SettingTraits
from madsci.common.settings.security import request_headers

_PROTECTED: Final = ("host", "webhook-id", "webhook-timestamp", "webhook-signature")
"""Headers that say where a webhook goes, and that it is ours."""
_MOST_HEADERS: Final = 50
"""Of one webhook: servers take some hundred, and a gateway wants one or two."""

_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]


def _webhook_headers(value: Any) -> Any:
    headers = request_headers(value)
    for name in headers if isinstance(headers, dict) else ():
        if name.lower() in _PROTECTED:
            raise ValueError(f"it should not have {name}, which each request says for itself")
    return headers


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


class _ChannelConfig(SecretsMasked):
    """One of several ways to people. A misspelled member is refused, for it may be a secret's."""

    model_config = ConfigDict(extra="forbid")

    name: _Name = Field(
        description="By which routes and messages call it; small letters, digits, _ and -."
    )


class WebhookConfig(_ChannelConfig):
    """A program that gets alerts by HTTP."""

    # Services hand out URLs whose path is the password, so all of it is hidden.
    url: Annotated[str, SettingTraits(secret=True)] = Field(
        description="http or https URL that alerts are posted to; user:password@ is sent as basic auth."
    )
    secret: Annotated[str | None, SettingTraits(secret=True)] = Field(
        default=None,
        description="Signs what is sent, by Standard Webhooks: whsec_ and Base64, or any text.",
    )
    headers: Annotated[
        dict[str, str], BeforeValidator(_webhook_headers), SettingTraits(secret=True)
    ] = Field(
        default_factory=dict,
        max_length=_MOST_HEADERS,
        description="Further headers of each request, such as Authorization; none by default.",
    )
    template: Annotated[str | dict[str, Any] | None, SettingTraits(secret=True)] = Field(
        default=None,
        description="JSON to post, with words such as $title in its texts; none for all that is known.",
    )
    allow_private: bool = Field(
        default=False,
        description="Allow hosts of the lab's own network; off, so that nothing reaches in by mistake.",
    )


class AppriseConfig(_ChannelConfig):
    """A service that gets alerts over the library Apprise."""

    url: Annotated[str, SettingTraits(secret=True)] = Field(
        min_length=1,
        description="URL of the service as Apprise writes it, such as ntfy://topic; holds its tokens.",
    )
