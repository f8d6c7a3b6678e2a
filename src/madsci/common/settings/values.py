"""Types of values that settings have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from madsci.common.nearest import nearest
from madsci.common.settings.files import resolve_madsci_path
from madsci.common.types.log_level import EventLogLevel, level_number


def http_url(value: Any) -> str:
    """Return an http or https URL as text that ends with a slash, so that routes can be appended.

    Raises:
        ValueError: it is no such URL.
    """
    text = str(value).strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # whose message quotes what may belong to a password
        raise ValueError(
            "it should be a URL such as http://localhost:8001/, in which / ? # and @ of a user or"
            " password are written as %2F %3F %23 and %40"
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it should be a URL such as http://localhost:8001/")
    if port == 0 or parts.query or parts.fragment or any(map(str.isspace, text)):
        raise ValueError("it should be a plain URL such as http://localhost:8001/")
    return text if text.endswith("/") else f"{text}/"


def log_level(value: Any) -> EventLogLevel:
    """Read a level by name or number; a number between two levels means the higher one.

    Raises:
        ValueError: it is no level, or above all of them.
    """
    number = level_number(value)
    for level in EventLogLevel:
        if number is not None and number <= level:
            return level
    meant = nearest(str(value), EventLogLevel.__members__)
    rest = f", perhaps {meant}" if meant else ""
    raise ValueError(
        f"it should be a log level: DEBUG, INFO, WARNING, ERROR, CRITICAL or a number up to 50{rest}"
    )


HttpUrl = Annotated[str, BeforeValidator(http_url)]
"""An http or https URL with a slash at its end."""

LevelSetting = Annotated[EventLogLevel, BeforeValidator(log_level)]
"""A threshold among the levels that events have."""

MadsciPath = Annotated[Path, AfterValidator(resolve_madsci_path), Field(validate_default=True)]
"""A path whose leading ``.madsci/`` leads to the lab's own directory."""
