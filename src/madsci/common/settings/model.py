"""The base of settings objects.

From the highest precedence to the lowest: constructor arguments, environment variables, dotenv files,
JSON, TOML, YAML, the model's own lowest sources, defaults. Objects are merged member by member, so
that a password may come from the environment and the rest of its object from a file.

Constructing never looks at the command line: a robot's program has flags of its own. An entry point
that wants flags asks ``settings_of_flags`` for them. Nothing is remembered between constructions.
"""

from __future__ import annotations

import typing
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ConfigDict, ValidationError
from typing_extensions import Self

from madsci.common.errors import SettingsError
from madsci.common.settings.files import FileSearch, Layer
from madsci.common.settings.masking import SecretsMasked
from madsci.common.settings.problems import is_unimplemented, no_such_setting, problem_lines
from madsci.common.settings.reading import file_layer, read_layers
from madsci.common.settings.traits import SettingsModel, file_names


class MadsciSettings(SecretsMasked, SettingsModel):
    """Base of settings objects. Reads its sources when constructed; arguments win over them."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    def __init__(self, /, **values: Any) -> None:
        # Warnings name the line that made the settings, above an __init__ of a subclass, too.
        depth = 3 if type(self).__init__ is MadsciSettings.__init__ else 4
        self._read(_arguments_layer(type(self), values, depth))

    @classmethod
    def with_arguments(cls, arguments: Layer) -> Self:
        """Read the sources, with arguments above them that say where they stand."""
        settings = cls.__new__(cls)
        settings._read(arguments)  # noqa: SLF001  (an object of this very class)
        return settings

    def _read(self, arguments: Layer) -> None:
        search = FileSearch.upwards()
        layers = [*read_layers(type(self), search), arguments]
        reading = Layer()
        for layer in (*self._lowest_layers(layers, search), *layers):
            reading.put_layer(layer)
        self._validate(reading)

    def _validate(self, reading: Layer) -> None:
        try:
            super().__init__(**reading.values)
        except ValidationError as error:
            lines = reading.problems + problem_lines(type(self), error, reading)
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
        changed = _arguments_layer(type(self), changes)
        kept = (name for name in type(self).model_fields if name not in changed.values)
        reading = Layer(values={name: getattr(self, name) for name in kept})
        reading.put_layer(changed)
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
                lines = problem_lines(type(self), error, reading)
                raise SettingsError("\n".join(lines)) from error


def _arguments_layer(model: type[SettingsModel], values: Mapping[str, Any], depth: int = 3) -> Layer:
    """Return the constructor's arguments; unknown and contradictory ones are refused.

    Of those that other releases have, a Python warning tells: programs written for them go on.
    """
    names = file_names(model)
    lines: list[str] = []
    for given in values:
        if given in names:
            continue
        sentence = no_such_setting(model, f"The argument {given}", given, names)
        if is_unimplemented(model, given):
            warnings.warn(sentence, stacklevel=depth)
        else:
            lines.append(sentence)
    chosen: dict[str, str] = {}
    for given in filter(values.__contains__, names):
        other = chosen.setdefault(names[given], given)
        if other != given and values[given] != values[other]:
            lines.append(f"The arguments {other} and {given} name the same setting: give one.")
    if lines:
        raise SettingsError("\n".join(lines))
    return file_layer(model, values, "")
