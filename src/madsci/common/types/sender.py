"""Who said it: the program that made an event, by its name, its machine and its process."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from madsci.common.types.sender_reading import LARGEST_PROCESS, LONGEST_NAME, cut_name

__all__ = ["Sender", "sender_here"]

_host: Final = cut_name(platform.node())


class Sender(BaseModel):
    """Who made an event. What is not known is ``None``. A text alone is read as the name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str | None = Field(
        default=None, max_length=LONGEST_NAME, description="What the program calls itself."
    )
    host: str | None = Field(
        default=None, max_length=LONGEST_NAME, description="The machine it runs on."
    )
    process: int | None = Field(
        default=None, ge=0, le=LARGEST_PROCESS, description="The number of its process there."
    )

    @model_validator(mode="before")
    @classmethod
    def _read_text(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    def known(self) -> dict[str, Any]:
        """Return what is known, as events hold it."""
        return self.model_dump(exclude_none=True)


def sender_here(name: str = "") -> Mapping[str, Any]:
    """Return this process as a sender, under a name if it has one, cut where that is too long."""
    here = {"name": cut_name(name), "host": _host, "process": os.getpid()}
    return {member: value for member, value in here.items() if value != ""}
