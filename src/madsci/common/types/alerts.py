"""How alerts reach people by e-mail."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

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
