"""Reading the sources of a settings model, each as a layer of values that know their origin."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from madsci.common.settings.files import FileSearch, Layer, read_dotenv, read_mapping
from madsci.common.settings.masking import REDACTED, mask_url
from madsci.common.settings.traits import (
    SettingsModel,
    environment_names,
    file_names,
    holds_secrets,
    is_written_as_json,
    object_model,
)

_SHOWN: Final = 80
_FILE_ENDINGS: Final = (".yml", ".yaml", ".toml", ".json")  # the lowest precedence first


def file_layer(model: type[SettingsModel], content: Mapping[str, Any], place: str) -> Layer:
    """Return the settings in the content of a file; the keys of others are left out."""
    given = {name.lower(): (name, value) for name, value in content.items()}
    layer = Layer()
    for known, name in reversed(list(file_names(model).items())):
        if known in given:
            key, value = given[known]
            layer.put((name,), value, f"{key} in {place}" if place else f"argument {key}")
    return layer


def _variables_layer(
    model: type[SettingsModel], variables: Mapping[str, str], place: str = ""
) -> Layer:
    """Return the settings in environment variables, or in those of the dotenv file named."""
    # Of two variables that differ only in case, the one in capitals wins.
    ordered = sorted(variables, key=lambda name: name == name.upper())
    given = {name.upper(): (name, variables[name]) for name in ordered if variables[name]}
    layer = Layer()
    for name, info in model.model_fields.items():
        for known in reversed(environment_names(model, name)):
            found = [known] if known in given else []
            if object_model(info.annotation):  # after the object itself, its members
                found += sorted(upper for upper in given if upper.startswith(f"{known}__"))
            for upper in found:
                variable, text = given[upper]
                members = upper[len(known) + 2 :].lower()
                path = (name, *members.split("__")) if members else (name,)
                origin = f"{variable} in {place}" if place else f"environment variable {variable}"
                put_text(model, layer, path, text, origin)
    return layer


def put_text(
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
            inner = object_model(annotation)
            if inner is None:
                break
            holder = inner
    if not is_written_as_json(annotation):
        layer.put(path, text, origin)
        return
    try:
        layer.put(path, json.loads(text), origin)
    except (ValueError, RecursionError):
        shown = REDACTED if holds_secrets(holder, path[-1]) else f"{mask_url(text)!r:.{_SHOWN}}"
        layer.problems.append(
            f"{'.'.join(path)} = {shown} ({origin}): it should be JSON. Write a list as"
            ' ["first", "second"] and an object as {"member": "value"}.'
        )


def read_layers(model: type[SettingsModel], search: FileSearch) -> Iterator[Layer]:
    """Read files and environment, the lowest precedence first."""
    for path in settings_files(model, search):
        yield file_layer(model, read_mapping(path), str(path))
    for path in filter(None, map(search.find, model.sources.dotenv_names)):
        yield _variables_layer(model, read_dotenv(path), str(path))
    yield _variables_layer(model, os.environ)


def settings_files(model: type[SettingsModel], search: FileSearch) -> Iterator[Path]:
    """Find the files: the yaml endings are one kind, in which the more specific stem wins."""
    for endings in (_FILE_ENDINGS[:2], _FILE_ENDINGS[2:3], _FILE_ENDINGS[3:]):
        for stem in model.sources.file_stems:
            yield from filter(None, (search.find(stem + ending) for ending in endings))
