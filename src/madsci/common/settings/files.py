"""Finding and parsing the files that hold settings, and laying their contents over each other.

Knows directories, file formats and precedence, and nothing of which settings there are. The
parsers are imported only when there is a file to parse: a program without such files does not pay
for them.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from madsci.common.errors import SettingsError

MAX_PARENTS: Final = 10
"""How many directories above the first one are searched."""

FALLBACK_DIRECTORIES: Final = ("managers", "config")
"""Where a file is sought below the first directory when it is nowhere upwards."""

_BOUNDARIES: Final = (".madsci", ".git")
_QUOTED: Final = re.compile(r"'[^'<>]{2,}'")


@dataclass(frozen=True)
class FileSearch:
    """Where settings files are sought: ``directories`` in this order, the first hit wins."""

    directories: tuple[Path, ...]

    @classmethod
    def upwards(cls, start: Path | None = None) -> FileSearch:
        """Search from a directory upwards, up to the lab's or repository's own, home or the root.

        Raises:
            SettingsError: MADSCI_SETTINGS_DIR does not name a directory.
        """
        first = start_directory() if start is None else start
        below = tuple(first / name for name in FALLBACK_DIRECTORIES)
        return cls((*_bounded_walk(first), *below))

    def find(self, name: str | Path) -> Path | None:
        """Return the file of that name, or ``None``. An absolute name is not searched for."""
        wanted = Path(name).expanduser()
        for directory in self.directories:
            path = directory / wanted  # an absolute name stays as it is
            if _is_file(path):
                return path
        return None


@dataclass
class Layer:
    """The settings of one source: values by name, and where each of them stands."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def put(self, path: tuple[str, ...], value: Any, origin: str) -> None:
        """Set a value over what is there; an object is merged into an object."""
        if isinstance(value, Mapping):
            self._hold(path, origin)
            for name, member in value.items():
                self.put((*path, str(name)), member, origin)
            return
        self._holder(path)[path[-1]] = value
        for known in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[known]
        self.origins[path] = origin

    def put_layer(self, layer: Layer) -> None:
        """Set everything of a higher source over what is there."""
        for path, origin in layer.origins.items():
            value: Any = layer.values
            for name in path:
                value = value[name]
            self.put(path, {} if isinstance(value, dict) else value, origin)
        self.problems += layer.problems

    def origin(self, path: Sequence[str]) -> str | None:
        """Return where the value at a path, or the nearest one around it, stands."""
        for length in range(len(path), 0, -1):
            if tuple(path[:length]) in self.origins:
                return self.origins[tuple(path[:length])]
        return None

    def _hold(self, path: tuple[str, ...], origin: str) -> None:
        holder = self._holder(path)
        if not isinstance(holder.get(path[-1]), dict):
            holder[path[-1]] = {}
        self.origins[path] = origin

    def _holder(self, path: tuple[str, ...]) -> dict[str, Any]:
        holder = self.values
        for name in path[:-1]:
            if not isinstance(holder.get(name), dict):
                holder[name] = {}
            holder = holder[name]
        return holder


def start_directory() -> Path:
    """Return the directory where searches begin: MADSCI_SETTINGS_DIR, else the working directory.

    Raises:
        SettingsError: MADSCI_SETTINGS_DIR does not name a directory.
    """
    named = os.environ.get("MADSCI_SETTINGS_DIR")
    if named:
        path = Path(named).expanduser().resolve()
        if not path.is_dir():
            raise SettingsError(
                f"MADSCI_SETTINGS_DIR is {named!r}, which is not a directory. Name the directory"
                " that holds the settings files, or remove the variable to search from the working"
                " directory."
            )
        return path
    try:
        return Path.cwd()
    except FileNotFoundError:  # somebody removed the directory under the running program
        return home_directory() or Path("/")


def home_directory() -> Path | None:
    """Return the user's home, or ``None`` where the system knows none (a bare container user)."""
    try:
        return Path.home().resolve()
    except RuntimeError:
        return None


def resolve_madsci_path(path: Path | str) -> Path:
    """Return where a path that begins with ``.madsci/`` leads; other paths stay as they are.

    The base is the nearest directory upwards that holds ``.madsci/``, else the root of the git
    repository, else the home directory. A leading ``~`` is expanded.
    """
    given = Path(path)
    if given.parts[:1] == ("~",):
        given = given.expanduser()
    if given.parts[:1] != (".madsci",):
        return given
    start = start_directory()
    upwards = list(_walk(start))
    for base in upwards:
        if (base / ".madsci").is_dir():
            return base / given
    for base in upwards:
        if (base / ".git").exists():
            return base / given
    return (home_directory() or start) / given


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of a dotenv file; a name without a value is left out.

    Raises:
        SettingsError: the file cannot be read, or a line is not ``NAME=value``.
    """
    from dotenv import dotenv_values  # noqa: PLC0415
    from dotenv.parser import parse_stream  # noqa: PLC0415

    text = _read_text(path)
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise _unreadable(path, f"line {binding.original.line} is not NAME=value")
    values = dotenv_values(stream=io.StringIO(text))
    return {name: value for name, value in values.items() if value}


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the content of a JSON, TOML or YAML file, told apart by the ending of its name.

    Raises:
        SettingsError: the file cannot be read or parsed, or holds something else than names and values.
    """
    parse = {".json": _parse_json, ".toml": _parse_toml}.get(path.suffix.lower(), _parse_yaml)
    content = parse(path, _read_text(path))
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise _unreadable(path, f"it holds a {type(content).__name__} instead of names with values")
    return {str(name): value for name, value in content.items()}


def _read_text(path: Path) -> str:
    try:
        # Editors on Windows begin UTF-8 files with a byte order mark.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"it is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error


def _parse_json(path: Path, text: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _unreadable(path, f"it is not JSON at {place}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, f"it is not JSON: {error}") from None


def _parse_toml(path: Path, text: str) -> Any:
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # its message names the line and column
        raise _unreadable(path, f"it is not TOML: {error}") from None


def _parse_yaml(path: Path, text: str) -> Any:
    import yaml  # noqa: PLC0415

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        # The library quotes the text it stumbled over, and that may be a password.
        problem = _QUOTED.sub("'...'", error.problem or "unknown problem")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        place, problem = "", f"{type(error).__name__}, such as an impossible date or character"
    raise _unreadable(
        path, f"it is not YAML{place}: {problem}. Quote a text that holds special characters"
    ) from None


def _unreadable(path: Path, reason: str) -> SettingsError:
    return SettingsError(
        f"The settings file {path} cannot be used: {reason}. Correct the file or remove it."
    )


def _walk(start: Path) -> Iterator[Path]:
    """Go upwards as far as home or the root, both included."""
    home = home_directory()
    for directory in (start, *start.parents):
        yield directory
        if directory == home:
            return


def _bounded_walk(start: Path) -> Iterator[Path]:
    for steps, directory in enumerate(_walk(start)):
        if steps > MAX_PARENTS:
            return
        yield directory
        if any((directory / name).exists() for name in _BOUNDARIES):
            return


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a directory that this user may not look into
        return False
