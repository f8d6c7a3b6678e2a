"""Settings as flags of the command line, for our own entry points."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from madsci.common.errors import SettingsError
from madsci.common.settings.files import Layer
from madsci.common.settings.masking import mask_url
from madsci.common.settings.model import MadsciSettings
from madsci.common.settings.problems import default_text, no_such_setting
from madsci.common.settings.reading import put_text
from madsci.common.settings.traits import environment_names, file_names


def command_line_values(model: type[MadsciSettings], argv: Sequence[str]) -> dict[str, Any]:
    """Return the settings given as ``--name value`` or ``--name=value``, as constructor arguments.

    Dashes and underscores are the same in names; ``null`` means no value, lists and objects are JSON.
    ``--help`` prints the settings and exits.

    Raises:
        SettingsError: a flag is no setting, or has no value.
    """
    names = file_names(model)
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
            raise SettingsError(no_such_setting(model, f"The flag {flag}", key, names))
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise SettingsError(f"The flag {flag} has no value. Write {flag} value.")
            text = rest.pop(0)
        put_text(model, layer, (names[key],), text, f"flag {flag}")
    if layer.problems:
        raise SettingsError("\n".join(layer.problems))
    return layer.values


def settings_help(model: type[MadsciSettings]) -> str:
    """Return a text that lists every setting with its flag, default and environment variables."""
    lines = [f"Settings of {model.__name__}, each also a variable of the environment:", ""]
    for name, info in model.model_fields.items():
        variables = ", ".join(environment_names(model, name))
        lines += [f"  --{name}  (default {default_text(info)}; {variables})"]
        lines += [f"      {info.description}"]
    return "\n".join(lines) + "\n"
