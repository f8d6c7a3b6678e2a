"""Settings as flags of the command line, for our own entry points."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

from madsci.common.errors import SettingsError
from madsci.common.nearest import nearest
from madsci.common.settings.files import Layer
from madsci.common.settings.masking import mask_url
from madsci.common.settings.model import MadsciSettings
from madsci.common.settings.problems import default_text, is_unimplemented, no_such_setting
from madsci.common.settings.reading import put_text
from madsci.common.settings.traits import environment_names, file_names

Settings = TypeVar("Settings", bound=MadsciSettings)


def settings_of_flags(model: type[Settings], argv: Sequence[str]) -> Settings:
    """Return the settings with those given as ``--name value`` or ``--name=value`` over all sources.

    Dashes and underscores are the same in names; ``null`` means no value, lists and objects are JSON.
    ``--help`` prints the settings and exits.

    Raises:
        SettingsError: a flag is no setting, or has no value, or one that cannot be used.
    """
    names = file_names(model)
    layer = Layer()
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word in ("--help", "-h"):
            sys.stdout.write(settings_help(model))
            raise SystemExit(0)
        name, text = _split_flag(word, rest)
        key = name.replace("-", "_")
        if key not in names:
            if is_unimplemented(model, key):
                raise SettingsError(no_such_setting(model, f"The flag --{name}", key, names))
            raise _unknown_flag(name, names)
        if text is None:
            raise SettingsError(f"The flag --{name} has no value. Write --{name} VALUE.")
        put_text(model, layer, (names[key],), text, f"flag --{name}")
    if layer.problems:
        raise SettingsError("\n".join(layer.problems))
    return model.with_arguments(layer)


def read_flags(
    words: Sequence[str], with_values: Sequence[str], switches: Sequence[str]
) -> dict[str, str]:
    """Return the flags that are given, by names with dashes; the value of a switch is empty.

    Raises:
        SettingsError: a flag is none of these, or has no value.
    """
    given: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("--") and word[2:] in switches:
            given[word[2:]] = ""
            continue
        name, value = _split_flag(word, rest)
        if name not in with_values:
            raise _unknown_flag(name, [*with_values, *switches])
        if not (value or "").strip():
            raise SettingsError(f"The flag --{name} has no value. Write --{name} VALUE.")
        given[name] = str(value).strip()
    return given


def _split_flag(word: str, rest: list[str]) -> tuple[str, str | None]:
    """Return the name of a flag, with dashes, and its value, for which the next word is taken.

    Raises:
        SettingsError: the word is no flag.
    """
    flag, equals, text = word.partition("=")
    if not flag.startswith("--"):
        raise SettingsError(f"{mask_url(word)!r} is not a flag. Write --name VALUE; see --help.")
    name = flag[2:].replace("_", "-").lower()
    if equals:
        return name, text
    return name, rest.pop(0) if rest and not rest[0].startswith("--") else None


def _unknown_flag(name: str, known: Iterable[str]) -> SettingsError:
    """Return the error that there is no such flag, with the one that may have been meant."""
    close = nearest(name, [one.replace("_", "-") for one in known])
    remedy = f"; did you mean --{close}?" if close else ". --help lists those that there are."
    return SettingsError(f"Unknown flag --{name}{remedy}")


def settings_help(model: type[MadsciSettings]) -> str:
    """Return a text that lists every setting with its flag, default and environment variables."""
    lines = [f"Settings of {model.__name__}, each also a variable of the environment:", ""]
    for name, info in model.model_fields.items():
        variables = ", ".join(environment_names(model, name))
        flag = name.replace("_", "-")
        lines += [f"  --{flag}  (default {default_text(info)}; {variables})"]
        lines += [f"      {info.description}"]
    return "\n".join(lines) + "\n"
