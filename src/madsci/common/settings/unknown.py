"""What is set and has no effect: names with our prefix that are no settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from madsci.common.settings.files import FileSearch, read_dotenv, read_mapping
from madsci.common.settings.model import MadsciSettings
from madsci.common.settings.problems import no_such_setting
from madsci.common.settings.reading import settings_files
from madsci.common.settings.traits import environment_names, file_names, object_model


def unknown_settings(model: type[MadsciSettings]) -> list[str]:
    """Return a sentence for each variable and file key that is meant for the model but is no setting.

    Raises:
        SettingsError: a file cannot be read or parsed.
    """
    search = FileSearch.upwards()
    sentences = _unknown_variables(model, os.environ, "")
    for path in filter(None, map(search.find, model.sources.dotenv_names)):
        sentences += _unknown_variables(model, read_dotenv(path), f" in {path}")
    for path in settings_files(model, search):
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
        inner = object_model(model.model_fields[known[lead]].annotation) if lead in known else None
        if inner is not None and _has_member(inner, member.lower().split("__")[0]):
            continue
        close = [f"{lead}__{name.upper()}" for name in inner.model_fields] if inner else known
        if variable.upper() not in known:
            subject = f"The environment variable {variable}{place}"
            sentences.append(no_such_setting(model, subject, variable.upper(), close))
    return sentences


def _has_member(model: type[BaseModel], name: str) -> bool:
    return name in model.model_fields or model.model_config.get("extra") == "allow"


def _unknown_keys(model: type[MadsciSettings], content: Mapping[str, Any], path: Path) -> list[str]:
    names = file_names(model)
    shared = any(path.stem == stem for stem in model.sources.shared_stems)
    sentences = []
    for key, value in content.items():
        name = names.get(key.lower())
        if name is None:
            if _is_ours(model, key) or not shared:
                sentences.append(no_such_setting(model, f"{key} in {path}", key.lower(), names))
            continue
        inner = object_model(model.model_fields[name].annotation)
        if inner is None or not isinstance(value, Mapping):
            continue
        for member in map(str, value):
            if not _has_member(inner, member):
                subject = f"{key}.{member} in {path}"
                sentences.append(no_such_setting(model, subject, member, inner.model_fields))
    return sentences


def _is_ours(model: type[MadsciSettings], key: str) -> bool:
    """Whether a key begins with the model's prefix and with none of another model."""
    upper = key.upper()
    return upper.startswith(model.sources.prefix) and not upper.startswith(
        model.sources.foreign_prefixes
    )
