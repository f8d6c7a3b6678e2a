"""What type checkers know of the client's arguments is what the client takes."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

from madsci.common.settings.traits import setting_traits
from madsci.common.types.client_arguments import ClientArguments
from madsci.common.types.client_config import EventClientConfig
from madsci.common.types.ownership import OwnershipInfo

WIDER = {
    Path: {Path, str},
    OwnershipInfo: {OwnershipInfo, Mapping[str, Any]},
    dict[str, str]: {Mapping[str, str]},
}
"""Types of settings that are read from more than themselves."""


def kinds(annotation: Any) -> set[Any]:
    """The types of which a value may be, without what stands in ``Annotated``."""
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        return set().union(*map(kinds, typing.get_args(annotation)))
    if typing.get_origin(annotation) is typing.Annotated:
        return kinds(typing.get_args(annotation)[0])
    return {annotation}


def taken() -> dict[str, set[Any]]:
    """Every name of every setting, with the types that it is read from."""
    found: dict[str, set[Any]] = {}
    for name, info in EventClientConfig.model_fields.items():
        read = set().union(*(WIDER.get(kind, {kind}) for kind in kinds(info.annotation)))
        if name == "log_level":
            read |= {str}
        for known in (name, *setting_traits(EventClientConfig, name).synonyms):
            found[known] = read
    return found


def test_names_and_types_of_the_arguments_are_those_of_the_settings():
    arguments = typing.get_type_hints(ClientArguments)
    assert {name: kinds(annotation) for name, annotation in arguments.items()} == taken()


def test_every_argument_is_optional():
    assert ClientArguments.__required_keys__ == frozenset()


def test_the_wider_types_are_read():
    config = EventClientConfig(
        log_level="debug", log_dir="logs", source={"node_id": "arm"}, event_server_headers={"X": "y"}
    )
    assert (config.log_level, config.log_dir) == (10, Path("logs"))
    assert config.source == OwnershipInfo(node_id="arm")
