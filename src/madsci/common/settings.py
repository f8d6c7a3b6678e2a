"""Settings: models that read what their constructor was not given from the environment and files.

From the highest precedence to the lowest: constructor arguments, environment variables, dotenv files,
JSON, TOML, YAML, the model's own lowest sources, defaults. Objects are merged member by member, so
that a password may come from the environment and the rest of its object from a file.

Constructing never looks at the command line: a robot's program has flags of its own. An entry point
that wants flags asks `command_line_values` for them. Nothing is remembered between constructions.
Longer than other modules, since reading, naming the culprit and masking share the same few facts.
"""

from __future__ import annotations

import json
import os
import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from typing_extensions import Self

from madsci.common.errors import SettingsError
from madsci.common.settings_files import (
    FileSearch,
    Layer,
    read_dotenv,
    read_mapping,
    resolve_madsci_path,
)
from madsci.common.types.log_level import EventLogLevel, level_number

REDACTED: Final = "***REDACTED***"

# Bounded, so that the time for a long text grows with its length only.
_CREDENTIALS: Final = re.compile(r"(?<=://)(?:[^\s/?#:@]{0,256}:\S{0,2048}|[^\s/?#]{0,2048})@")
_SECRET_QUERY: Final = re.compile(
    r"([?&;][^=?&;\s]{0,64}(?:password|secret|token|authmechanismproperties)[^=?&;\s]{0,64}=)[^&;\s]*",
    re.IGNORECASE,
)
_SECRET_KEY: Final = re.compile(
    r"pass(?:word|wd|phrase)|pwd|secret|token|credential|smtp_username|(?:api|access|private)_?key",
    re.IGNORECASE,
)
_SHOWN: Final = 80


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


_NO_TRAITS: Final = SettingTraits()
_FILE_ENDINGS: Final = (".yml", ".yaml", ".toml", ".json")  # the lowest precedence first


# Masking


def mask_url(text: str) -> str:
    """Return the text without the credentials of the URLs in it; hosts and paths stay readable."""
    return _SECRET_QUERY.sub(rf"\1{REDACTED}", _CREDENTIALS.sub(f"{REDACTED}@", text))


def masked_json(value: Any) -> Any:
    """Return any parsed document as JSON values, without URL credentials and secret-looking members."""
    if isinstance(value, Mapping):
        return {
            str(name): REDACTED
            if _SECRET_KEY.search(str(name)) and member is not None and not isinstance(member, bool)
            else masked_json(member)
            for name, member in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [masked_json(member) for member in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    return value if isinstance(value, float) and abs(value) < float("inf") else mask_url(str(value))


def _mask_member(value: Any, traits: SettingTraits) -> Any:
    if value is None or isinstance(value, BaseModel):
        return value
    if traits.secret:
        return REDACTED
    if not isinstance(value, str):
        return value
    if traits.credentials and "@" in value:
        # The whole value is one URL: whatever stands before the last @ may belong to a password.
        scheme, separator, _ = value.partition("://")
        host = mask_url(value.rpartition("@")[2])
        return f"{scheme}{separator}{REDACTED}@{host}" if separator else f"{REDACTED}@{host}"
    return mask_url(value)


class SecretsMasked(BaseModel):
    """A model whose secrets do not appear in its ``repr`` and ``str``."""

    model_config = ConfigDict(hide_input_in_errors=True, coerce_numbers_to_str=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, _mask_member(value, setting_traits(type(self), name or ""))

    def masked(self, *, include_defaults: bool = True) -> dict[str, Any]:
        """Return the settings as JSON values by name, secrets as ``***REDACTED***``.

        Without ``include_defaults`` only those whose value differs from the default.
        """
        plain = self.model_dump(mode="json")
        shown: dict[str, Any] = {}
        for name, info in type(self).model_fields.items():
            value = getattr(self, name)
            if not include_defaults and value == _default(info):
                continue
            if isinstance(value, SecretsMasked):
                shown[name] = value.masked()
            else:
                shown[name] = _mask_member(plain[name], setting_traits(type(self), name))
        return shown


def _default(info: FieldInfo) -> Any:
    default = info.get_default(call_default_factory=True)
    return resolve_madsci_path(default) if isinstance(default, Path) else default


# What a model says about its settings


def setting_traits(model: type[BaseModel], name: str) -> SettingTraits:
    """Return the traits of a setting; those of an unknown name are empty."""
    info = model.model_fields.get(name)
    for trait in info.metadata if info else ():
        if isinstance(trait, SettingTraits):
            return trait
    return _NO_TRAITS


def environment_names(model: type[MadsciSettings], name: str) -> tuple[str, ...]:
    """Return the environment variables that hold a setting; the first one that is set wins."""
    declared = setting_traits(model, name).environment
    return declared or (f"{model.sources.prefix}{name.upper()}",)


def _file_names(model: type[MadsciSettings]) -> dict[str, str]:
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


def _object_model(annotation: Any) -> type[BaseModel] | None:
    for kind in _member_types(annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _is_written_as_json(annotation: Any) -> bool:
    kinds = list(_member_types(annotation))
    return any(kind in (list, dict, tuple, set) for kind in kinds) or bool(_object_model(annotation))


def _holds_secrets(model: type[BaseModel], name: str) -> bool:
    info = model.model_fields.get(name)
    inner = _object_model(info.annotation) if info else None
    return setting_traits(model, name).secret or (
        inner is not None and any(setting_traits(inner, member).secret for member in inner.model_fields)
    )


# Reading


def file_layer(model: type[MadsciSettings], content: Mapping[str, Any], place: str) -> Layer:
    """Return the settings in the content of a file; the keys of others are left out."""
    given = {name.lower(): (name, value) for name, value in content.items()}
    layer = Layer()
    for known, name in reversed(_file_names(model).items()):
        if known in given:
            key, value = given[known]
            layer.put((name,), value, f"{key} in {place}" if place else f"argument {key}")
    return layer


def _variables_layer(
    model: type[MadsciSettings], variables: Mapping[str, str], place: str = ""
) -> Layer:
    """Return the settings in environment variables, or in those of the dotenv file named."""
    # Of two variables that differ only in case, the one in capitals wins.
    ordered = sorted(variables, key=lambda name: name == name.upper())
    given = {name.upper(): (name, variables[name]) for name in ordered if variables[name]}
    layer = Layer()
    for name, info in model.model_fields.items():
        for known in reversed(environment_names(model, name)):
            found = [known] if known in given else []
            if _object_model(info.annotation):  # after the object itself, its members
                found += sorted(upper for upper in given if upper.startswith(f"{known}__"))
            for upper in found:
                variable, text = given[upper]
                members = upper[len(known) + 2 :].lower()
                path = (name, *members.split("__")) if members else (name,)
                origin = f"{variable} in {place}" if place else f"environment variable {variable}"
                _put_text(model, layer, path, text, origin)
    return layer


def _put_text(
    model: type[BaseModel], layer: Layer, path: tuple[str, ...], text: str, origin: str
) -> None:
    """Set a value that was written as text: ``null``, JSON for lists and objects, or itself."""
    if text == "null":
        layer.put(path, None, origin)
        return
    holder, annotation = model, None
    for place, name in enumerate(path):
        info = holder.model_fields.get(name)
        annotation = info.annotation if info else None
        if place < len(path) - 1:
            inner = _object_model(annotation)
            if inner is None:
                break
            holder = inner
    if not _is_written_as_json(annotation):
        layer.put(path, text, origin)
        return
    try:
        layer.put(path, json.loads(text), origin)
    except (ValueError, RecursionError):
        shown = REDACTED if _holds_secrets(holder, path[-1]) else f"{mask_url(text)!r:.{_SHOWN}}"
        layer.problems.append(
            f"{'.'.join(path)} = {shown} ({origin}): it should be JSON. Write a list as"
            ' ["first", "second"] and an object as {"member": "value"}.'
        )


def _read_layers(model: type[MadsciSettings], search: FileSearch) -> Iterator[Layer]:
    """Read files and environment, the lowest precedence first."""
    for path in _settings_files(model, search):
        yield file_layer(model, read_mapping(path), str(path))
    for path in filter(None, map(search.find, model.sources.dotenv_names)):
        yield _variables_layer(model, read_dotenv(path), str(path))
    yield _variables_layer(model, os.environ)


def _settings_files(model: type[MadsciSettings], search: FileSearch) -> Iterator[Path]:
    """Find the files: the yaml endings are one kind, in which the more specific stem wins."""
    for endings in (_FILE_ENDINGS[:2], _FILE_ENDINGS[2:3], _FILE_ENDINGS[3:]):
        for stem in model.sources.file_stems:
            yield from filter(None, (search.find(stem + ending) for ending in endings))


# The settings object


class MadsciSettings(SecretsMasked):
    """Base of settings objects. Reads its sources when constructed; arguments win over them."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    sources: ClassVar[SettingsSources]

    def __init__(self, /, **values: Any) -> None:
        search = FileSearch.upwards()
        arguments = _arguments_layer(type(self), values)
        layers = [*_read_layers(type(self), search), arguments]
        reading = Layer()
        for layer in (*self._lowest_layers(layers, search), *layers):
            reading.put_layer(layer)
        self._validate(reading)

    def _validate(self, reading: Layer) -> None:
        try:
            super().__init__(**reading.values)
        except ValidationError as error:
            lines = reading.problems + _problem_lines(type(self), error, reading)
            raise SettingsError("\n".join(lines)) from error
        if reading.problems:
            raise SettingsError("\n".join(reading.problems))

    @classmethod
    def _lowest_layers(cls, layers: Sequence[Layer], search: FileSearch) -> list[Layer]:  # noqa: ARG003
        """Return sources beneath all others, given those above (the highest is the last)."""
        return []

    def replaced(self, **changes: Any) -> Self:
        """Return a checked copy with other values; reads no environment and no files.

        Raises:
            SettingsError: there is no such setting, or a value cannot be used.
        """
        reading = Layer(values={name: getattr(self, name) for name in type(self).model_fields})
        reading.put_layer(_arguments_layer(type(self), changes))
        copy = self.model_copy()
        copy._validate(reading)  # noqa: SLF001  (a copy of this very class)
        return copy

    # A visible __setattr__ would let mypy accept any attribute.
    if not typing.TYPE_CHECKING:  # pragma: no branch

        def __setattr__(self, name: str, value: Any) -> None:
            try:
                super().__setattr__(name, value)
            except ValidationError as error:
                reading = Layer(values={name: value}, origins={(name,): f"argument {name}"})
                lines = _problem_lines(type(self), error, reading)
                raise SettingsError("\n".join(lines)) from error


def _arguments_layer(model: type[MadsciSettings], values: Mapping[str, Any]) -> Layer:
    """Return the constructor's arguments; unknown and contradictory ones are refused."""
    names = _file_names(model)
    lines = [
        _no_such_setting(model, f"The argument {given}", given, names)
        for given in values
        if given not in names
    ]
    chosen: dict[str, str] = {}
    for given in filter(values.__contains__, names):
        other = chosen.setdefault(names[given], given)
        if other != given and values[given] != values[other]:
            lines.append(f"The arguments {other} and {given} name the same setting: give one.")
    if lines:
        raise SettingsError("\n".join(lines))
    return file_layer(model, values, "")


def _no_such_setting(
    model: type[MadsciSettings], subject: str, given: str, known: Iterable[str]
) -> str:
    """Say that a name is no setting, or none in this version, and which one may have been meant."""
    plain = given.lower().removeprefix(model.sources.prefix.lower()).split("__")[0]
    if plain in model.sources.unimplemented:
        return f"{subject} is not implemented in this version and has no effect. Remove it."
    from difflib import get_close_matches  # noqa: PLC0415  (only mistakes need it)

    close = get_close_matches(given, list(known), 1)
    remedy = f"Did you mean {close[0]}?" if close else "Remove it."
    return f"{subject} is not a setting of {model.__name__} and has no effect. {remedy}"


def _problem_lines(model: type[MadsciSettings], error: ValidationError, reading: Layer) -> list[str]:
    """Return a line for each wrong setting: its name, value and place, what is wrong, the remedy."""
    lines: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        path = [str(part) for part in problem["loc"] if not str(part).startswith("function-")]
        name = ".".join(path)
        origin = reading.origin(path) or "the default"
        reason = problem["msg"].removeprefix("Value error, ").replace("Input should", "it should", 1)
        default = _default_text(model.model_fields[path[0]])
        lines.setdefault(
            name,
            f"{name} = {_shown(model, path, problem['input'])} ({origin}): {reason}."
            f" Correct it, or remove {path[0]} for the default {default}.",
        )
    return list(lines.values())


def _shown(model: type[BaseModel], path: Sequence[str], value: Any) -> str:
    """Return a wrong value for a message, masked if it is a secret or may hold one."""
    holder = model
    for name in path:
        if _holds_secrets(holder, name):
            inner = _object_model(holder.model_fields[name].annotation)
            if inner is None or name == path[-1]:
                return REDACTED
            holder = inner
    if not isinstance(value, (str, int, float, type(None))):
        return f"a {type(value).__name__}"
    return f"{_mask_member(_plain(value), setting_traits(holder, path[-1]))!r:.{_SHOWN}}"


def _default_text(info: FieldInfo) -> str:
    default = info.get_default(call_default_factory=True)
    return "(none)" if default is None else repr(_plain(default))


def _plain(value: Any) -> Any:
    """Return the number of a level and the text of a path, as a person would write them."""
    if isinstance(value, Enum):
        return value.name
    return str(value) if isinstance(value, Path) else value


# What is set and has no effect


def unknown_settings(model: type[MadsciSettings]) -> list[str]:
    """Return a sentence for each variable and file key that is meant for the model but is no setting.

    Raises:
        SettingsError: a file cannot be read or parsed.
    """
    search = FileSearch.upwards()
    sentences = _unknown_variables(model, os.environ, "")
    for path in filter(None, map(search.find, model.sources.dotenv_names)):
        sentences += _unknown_variables(model, read_dotenv(path), f" in {path}")
    for path in _settings_files(model, search):
        sentences += _unknown_keys(model, read_mapping(path), path)
    return sentences


def _unknown_variables(
    model: type[MadsciSettings], variables: Mapping[str, str], place: str
) -> list[str]:
    known = {
        variable: name for name in model.model_fields for variable in environment_names(model, name)
    }
    sentences = []
    for variable in filter(lambda name: _is_ours(model, name), sorted(variables)):
        lead, _, member = variable.upper().partition("__")
        inner = _object_model(model.model_fields[known[lead]].annotation) if lead in known else None
        if inner is not None and _has_member(inner, member.lower().split("__")[0]):
            continue
        close = [f"{lead}__{name.upper()}" for name in inner.model_fields] if inner else known
        if variable.upper() not in known:
            subject = f"The environment variable {variable}{place}"
            sentences.append(_no_such_setting(model, subject, variable.upper(), close))
    return sentences


def _has_member(model: type[BaseModel], name: str) -> bool:
    return name in model.model_fields or model.model_config.get("extra") == "allow"


def _unknown_keys(model: type[MadsciSettings], content: Mapping[str, Any], path: Path) -> list[str]:
    names = _file_names(model)
    shared = any(path.stem == stem for stem in model.sources.shared_stems)
    sentences = []
    for key, value in content.items():
        name = names.get(key.lower())
        if name is None:
            if _is_ours(model, key) or not shared:
                sentences.append(_no_such_setting(model, f"{key} in {path}", key.lower(), names))
            continue
        inner = _object_model(model.model_fields[name].annotation)
        if inner is None or not isinstance(value, Mapping):
            continue
        for member in map(str, value):
            if not _has_member(inner, member):
                subject = f"{key}.{member} in {path}"
                sentences.append(_no_such_setting(model, subject, member, inner.model_fields))
    return sentences


def _is_ours(model: type[MadsciSettings], key: str) -> bool:
    """Whether a key begins with the model's prefix and with none of another model."""
    upper = key.upper()
    return upper.startswith(model.sources.prefix) and not upper.startswith(
        model.sources.foreign_prefixes
    )


# The command line, for our own entry points


def command_line_values(model: type[MadsciSettings], argv: Sequence[str]) -> dict[str, Any]:
    """Return the settings given as ``--name value`` or ``--name=value``, as constructor arguments.

    Dashes and underscores are the same in names; ``null`` means no value, lists and objects are JSON.
    ``--help`` prints the settings and exits.

    Raises:
        SettingsError: a flag is no setting, or has no value.
    """
    names = _file_names(model)
    layer = Layer()
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word in ("--help", "-h"):
            sys.stdout.write(settings_help(model))
            raise SystemExit(0)
        flag, equals, text = word.partition("=")
        key = flag[2:].replace("-", "_").lower()
        if not flag.startswith("--"):
            raise SettingsError(f"{mask_url(word)!r} is not a flag. Write --name value; see --help.")
        if key not in names:
            raise SettingsError(_no_such_setting(model, f"The flag {flag}", key, names))
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise SettingsError(f"The flag {flag} has no value. Write {flag} value.")
            text = rest.pop(0)
        _put_text(model, layer, (names[key],), text, f"flag {flag}")
    if layer.problems:
        raise SettingsError("\n".join(layer.problems))
    return layer.values


def settings_help(model: type[MadsciSettings]) -> str:
    """Return a text that lists every setting with its flag, default and environment variables."""
    lines = [f"Settings of {model.__name__}, each also a variable of the environment:", ""]
    for name, info in model.model_fields.items():
        variables = ", ".join(environment_names(model, name))
        lines += [f"  --{name}  (default {_default_text(info)}; {variables})"]
        lines += [f"      {info.description}"]
    return "\n".join(lines) + "\n"


# Types of values


def http_url(value: Any) -> str:
    """Return an http or https URL as text that ends with a slash, so that routes can be appended.

    Raises:
        ValueError: it is no such URL.
    """
    text = str(value).strip()
    parts = urlsplit(text)  # raises ValueError for brackets that do not match
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it should be a URL such as http://localhost:8001/")
    if parts.port == 0 or parts.query or parts.fragment or any(map(str.isspace, text)):
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
    raise ValueError(
        "it should be a log level: DEBUG, INFO, WARNING, ERROR, CRITICAL or a number up to 50"
    )


HttpUrl = Annotated[str, BeforeValidator(http_url)]
"""An http or https URL with a slash at its end."""

LevelSetting = Annotated[EventLogLevel, BeforeValidator(log_level)]
"""A threshold among the levels that events have."""

MadsciPath = Annotated[Path, AfterValidator(resolve_madsci_path), Field(validate_default=True)]
"""A path whose leading ``.madsci/`` leads to the lab's own directory."""
