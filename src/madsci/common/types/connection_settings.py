"""The settings of an Event Manager about its connections."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from madsci.common.settings import SettingTraits

_SECONDS = SettingTraits(unit="seconds")


class ConnectionSettings(BaseModel):
    """What ``EventManagerSettings`` has about its connections."""

    max_connections: Annotated[int, SettingTraits(unit="connections")] = Field(
        default=1_000,
        ge=1,
        description="Connections at once, as far as open files allow; idle ones make room for others.",
    )
    head_timeout_seconds: Annotated[float, _SECONDS] = Field(
        default=10.0,
        gt=0,
        allow_inf_nan=False,
        description="Time for the head of a request, which is a packet or two.",
    )
    body_timeout_seconds: Annotated[float, _SECONDS] = Field(
        default=30.0,
        gt=0,
        allow_inf_nan=False,
        description="Time without a byte of a body; a weak radio link rests that long.",
    )
    reply_timeout_seconds: Annotated[float, _SECONDS] = Field(
        default=120.0,
        gt=0,
        allow_inf_nan=False,
        description="Time in which a reader takes nothing; somebody may look at what came first.",
    )
    idle_timeout_seconds: Annotated[float, _SECONDS] = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="Time without a request after which a connection is closed.",
    )
