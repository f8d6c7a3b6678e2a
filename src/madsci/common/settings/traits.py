"""What a settings model says about its settings beyond their types: names, secrets, sources."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel


@dataclass(frozen=True)
class SettingTraits:
    """What the type of a setting cannot say; stands in ``Annotated`` beside the type.

    ``environment`` lists all variables of the setting, the first wins; without it there is one, the
    model's prefix and the setting's name. ``synonyms`` are other names for arguments and files.
    ``secret`` values are never shown; of ``credentials`` URLs the part before the ``@`` is not.
    """

    environment: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    secret: bool = False
    credentials: bool = False
    unit: str = ""


@dataclass(frozen=True)
class SettingsSources:
    """Where a model reads its settings. Of several files the later one wins.

    Only keys with the prefix count as ours in the ``shared_stems``, which other services read too.
    ``foreign_prefixes`` belong to other models; ``unimplemented`` are settings of other releases.
    """

    prefix: str
    dotenv_names: tuple[str, ...]
    file_stems: tuple[str, ...]
    shared_stems: tuple[str, ...] = ()
    foreign_prefixes: tuple[str, ...] = ()
    unimplemented: frozenset[str] = frozenset()


class SettingsModel(BaseModel):
    """A model of settings: one that says where they are read."""

    sources: ClassVar[SettingsSources]


_NO_TRAITS: Final = SettingTraits()


# Models do not change: what is asked about them at each construction is worked out once.
@functools.lru_cache(maxsize=1024)
def setting_traits(model: type[BaseModel], name: str) -> SettingTraits:
    """Return the traits of a setting; those of an unknown name are empty."""
    info = model.model_fields.get(name)
    for trait in info.metadata if info else ():
        if isinstance(trait, SettingTraits):
            return trait
    return _NO_TRAITS


@functools.lru_cache(maxsize=1024)
def environment_names(model: type[SettingsModel], name: str) -> tuple[str, ...]:
    """Return the environment variables that hold a setting; the first one that is set wins."""
    declared = setting_traits(model, name).environment
    return declared or (f"{model.sources.prefix}{name.upper()}",)


@functools.lru_cache(maxsize=64)
def file_names(model: type[SettingsModel]) -> Mapping[str, str]:
    """Return every name of every setting, in the order of precedence, with the setting's own name."""
    names: dict[str, str] = {}
    prefix = model.sources.prefix.lower()
    for lead in ("", prefix):
        for name in model.model_fields:
            for known in (name, *setting_traits(model, name).synonyms):
                names.setdefault(lead + known, name)
    return names


def _member_types(annotation: Any) -> Iterator[Any]:
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        yield from _member_types(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _member_types(member)
    else:
        yield origin or annotation


def object_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model among the types of a setting, if its value is an object."""
    for kind in _member_types(annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def member_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model of a setting's object, or of each object in its list."""
    found = object_model(annotation)
    for kind in () if found else _item_types(annotation):
        found = found or object_model(kind)
    return found


def _item_types(annotation: Any) -> Iterator[Any]:
    if typing.get_origin(annotation) in (Annotated, typing.Union, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _item_types(member)
    elif typing.get_origin(annotation) in (list, tuple):
        yield from typing.get_args(annotation)


def is_written_as_json(annotation: Any) -> bool:
    """Tell whether a setting of this type is a list or an object, which text holds as JSON."""
    kinds = list(_member_types(annotation))
    return any(kind in (list, dict, tuple, set) for kind in kinds) or bool(object_model(annotation))


def holds_secrets(model: type[BaseModel], name: str) -> bool:
    """Tell whether a setting, or a member of its object or of those in its list, is a secret."""
    info = model.model_fields.get(name)
    inner = member_model(info.annotation) if info else None
    return setting_traits(model, name).secret or (
        inner is not None and any(setting_traits(inner, member).secret for member in inner.model_fields)
    )
