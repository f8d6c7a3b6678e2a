"""The settings of an Event Manager about its warnings."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from madsci.common.settings import SettingTraits


class HealthSettings(BaseModel):
    """What ``EventManagerSettings`` has about its health."""

    disk_warning_bytes: Annotated[int, SettingTraits(unit="bytes")] = Field(
        default=1024 * 1024 * 1024,
        ge=0,
        description="Warn when less is free, or less than a tenth of a small disk; 0 for never.",
    )
    disk_warning_days: Annotated[float, SettingTraits(unit="days")] = Field(
        default=3.0,
        ge=0,
        allow_inf_nan=False,
        description="Warn when the disk will be full within so many days; a weekend. 0 for never.",
    )
