"""Where the servers of a lab are."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from madsci.common.settings import HttpUrl, MadsciSettings, SettingsSources, SettingTraits

_Server = Annotated[HttpUrl | None, SettingTraits(credentials=True)]


class MadsciContext(MadsciSettings):
    """The addresses of a lab's servers, for everything that talks to them.

    Reads variables such as ``EVENT_SERVER_URL``, ``.env``, ``context.env``, and ``settings`` and
    ``context.settings`` files (``.json``, ``.toml``, ``.yaml``).
    """

    sources: ClassVar[SettingsSources] = SettingsSources(
        prefix="",
        dotenv_names=(".env", "context.env"),
        file_stems=("settings", "context.settings"),
        shared_stems=("settings",),
    )

    lab_server_url: _Server = Field(default=None, description="The lab manager.")
    event_server_url: _Server = Field(
        default=None, description="The Event Manager; clients without an address of their own use it."
    )
    experiment_server_url: _Server = Field(default=None, description="The experiment manager.")
    data_server_url: _Server = Field(default=None, description="The data manager.")
    resource_server_url: _Server = Field(default=None, description="The resource manager.")
    workcell_server_url: _Server = Field(default=None, description="The workcell manager.")
    location_server_url: _Server = Field(default=None, description="The location manager.")
