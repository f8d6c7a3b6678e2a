"""Regular expressions as MongoDB has them: the same engine, PCRE2, with a bound on its work."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import pcre2

from madsci.common.errors import QueryTimeoutError
from madsci.event_manager.model.required_text import required_text

MAX_PATTERN: Final = 4_096
"""Characters of a pattern: longer ones take milliseconds to compile, and nobody writes them."""
_LIMIT: Final = "(*LIMIT_MATCH=400000)"
"""Steps of backtracking from one place in a text: about a millisecond."""
_STACK_LIMIT: Final = -46
"""PCRE2's number for a text that needs more stack than the just-in-time compiler has."""
_MOST_KNOWN: Final = 2_000
_LONGEST_KNOWN: Final = 256
"""Texts of which a pattern remembers the answer, and their characters: two megabytes at most."""
_FLAGS: Final = {
    "i": pcre2.IGNORECASE,
    "m": pcre2.MULTILINE,
    "s": pcre2.DOTALL,
    "x": pcre2.VERBOSE,
    "u": pcre2.NOFLAG,  # texts are UTF-8 anyway
}
_SPECIAL: Final = re.compile(r"[\\^$.|?*+()\[\]{}]")
_ESCAPE: Final = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\x(?:\{(?P<braced>[0-9A-Fa-f]+)\}|(?P<bare>(?!\{)[0-9A-Fa-f]{0,2}))|\\.",
    re.DOTALL,
)


@dataclass(frozen=True)
class Pattern:
    r"""A compiled regular expression. Thread-safe.

    ``options`` are any of MongoDB's ``i m s x u``. As in MongoDB, ``\w`` and ``\d`` mean ASCII.

    Raises:
        ValueError: the pattern cannot be compiled; says where and why.
    """

    text: str
    options: str = ""
    _compiled: pcre2.Pattern = field(init=False, repr=False, compare=False)
    _known: dict[str, bool] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was found in texts, which often come again."""

    def __post_init__(self) -> None:
        unknown = set(self.options) - set(_FLAGS)
        if unknown:
            raise ValueError(f"the option {min(unknown)!r} is none of i, m, s, x and u")
        if len(self.text) > MAX_PATTERN:
            raise ValueError(f"it has more than {MAX_PATTERN:,} characters")
        if "\0" in self.text:
            raise ValueError("it holds a NUL character")
        try:
            compiled = self._compile(jit=True)
        except (pcre2.PatternError, pcre2.LibraryError) as error:
            raise ValueError(_without_limit(str(error))) from error
        object.__setattr__(self, "_compiled", compiled)

    def _compile(self, *, jit: bool) -> pcre2.Pattern:
        flags = pcre2.ASCII
        for option in self.options:
            flags |= _FLAGS[option]
        return pcre2.compile(_LIMIT + _with_octal_codes(self.text), flags, jit=jit)

    @cached_property
    def _patient(self) -> pcre2.Pattern:
        """The pattern without the just-in-time compiler, whose small stack long texts overflow."""
        return self._compile(jit=False)

    def __reduce__(self) -> tuple[type[Pattern], tuple[str, str]]:
        return Pattern, (self.text, self.options)  # compiled again where it arrives

    def is_in(self, text: str) -> bool:
        """Tell whether the pattern matches somewhere in the text.

        Raises:
            QueryTimeoutError: that would take too many steps.
        """
        found = self._known.get(text)
        if found is None:
            found = self._found_in(text)
            if len(self._known) < _MOST_KNOWN and len(text) <= _LONGEST_KNOWN:
                self._known[text] = found
        return found

    def _found_in(self, text: str) -> bool:
        try:
            try:
                return self._compiled.search(text) is not None
            except pcre2.LibraryError as error:
                if error.code != _STACK_LIMIT:
                    raise
                return self._patient.search(text) is not None
        except pcre2.LibraryError as error:
            raise QueryTimeoutError(
                f"The regular expression {self.text!r:.80} takes too long ({error}): it tries too many"
                " ways to match one text. Avoid repeats inside repeats such as (a+)+, or search for"
                " words with $text."
            ) from error

    @property
    def literal(self) -> tuple[bool, str] | None:
        """Whether it stands at the beginning, and the plain text that the pattern is, if it is one."""
        anchored = self.text.startswith("^")
        plain = self.text[1:] if anchored else self.text
        if not plain or set(self.options) - set("su") or _SPECIAL.search(plain):
            return None
        return anchored, plain

    @cached_property
    def required(self) -> str | None:
        """A text that every text holds in which the pattern is found, if there is one for certain."""
        return required_text(self.text, self.options)


def _with_octal_codes(pattern: str) -> str:
    r"""Write ``\x{20ac}`` and ``\xe9`` in octal, since the binding reads ``\x`` as JavaScript does."""

    def octal(escape: re.Match[str]) -> str:
        code = escape["braced"] or escape["bare"]
        return escape[0] if code is None else f"\\o{{{int(code or '0', 16):o}}}"

    return _ESCAPE.sub(octal, pattern) if "\\x" in pattern else pattern


def _without_limit(message: str) -> str:
    """Count positions from the beginning of what was sent."""
    found = re.search(r"position (\d+); (.*)", message)
    return f"{found[2]} at position {int(found[1]) - len(_LIMIT)}" if found else message
