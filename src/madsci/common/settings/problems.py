"""Saying what is wrong with a setting: its name, value and place, the reason, the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from madsci.common.nearest import did_you_mean
from madsci.common.settings.files import Layer
from madsci.common.settings.masking import REDACTED, mask_member
from madsci.common.settings.traits import SettingsModel, holds_secrets, member_model, setting_traits

_SHOWN: Final = 80


def is_unimplemented(model: type[SettingsModel], given: str) -> bool:
    """Tell whether a name is that of a setting of other releases, which has no effect in this one."""
    plain = given.lower().removeprefix(model.sources.prefix.lower()).split("__")[0]
    return plain in model.sources.unimplemented


def no_such_setting(model: type[SettingsModel], subject: str, given: str, known: Iterable[str]) -> str:
    """Say that a name is no setting, or none in this version, and which one may have been meant."""
    if is_unimplemented(model, given):
        return f"{subject} is not implemented in this version and has no effect. Remove it."
    remedy = did_you_mean(given, known) or " Remove it."
    return f"{subject} is not a setting of {model.__name__} and has no effect.{remedy}"


def problem_lines(model: type[SettingsModel], error: ValidationError, reading: Layer) -> list[str]:
    """Return a line for each wrong setting: its name, value and place, what is wrong, the remedy."""
    lines: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        path = [str(part) for part in problem["loc"] if not str(part).startswith("function-")]
        name = ".".join(path)
        origin = reading.origin(path) or "the default"
        reason = problem["msg"].removeprefix("Value error, ").replace("Input should", "it should", 1)
        default = default_text(model.model_fields[path[0]])
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
        if holds_secrets(holder, name):
            inner = member_model(holder.model_fields[name].annotation)
            if inner is None or name == path[-1]:
                return REDACTED
            holder = inner
    if holder is not model and path[-1] not in holder.model_fields:
        return REDACTED  # an object of a list as a whole, or a misspelled member
    value = _plain(value)
    if not isinstance(value, (str, int, float, type(None))):
        return f"a {type(value).__name__}"
    return f"{mask_member(value, setting_traits(holder, path[-1]))!r:.{_SHOWN}}"


def default_text(info: FieldInfo) -> str:
    """Return the default of a setting for a message."""
    default = info.get_default(call_default_factory=True)
    return "(none)" if default is None else repr(_plain(default))


def _plain(value: Any) -> Any:
    """Return the number of a level and the text of a path, as a person would write them."""
    if isinstance(value, Enum):
        return value.name
    return str(value) if isinstance(value, Path) else value
