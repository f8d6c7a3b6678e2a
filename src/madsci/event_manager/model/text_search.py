"""Searching for words in messages, as MongoDB's ``$text`` does it with the language ``none``.

Words are runs of letters, digits and underscores; case and accents do not count unless asked for.
Any of the words must be there, every phrase in quotes must be, and nothing with a minus before it.
There are no stop words and no stemming: who searches a log for ``failing`` means that word.
See https://www.mongodb.com/docs/manual/reference/operator/query/text/.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Final

# Accents that stand alone are letters to Python; without accents nothing is left of them.
_WORD: Final = re.compile(
    r"[^\W\ufc5e-\ufc63\ufe70\ufe72\ufe74\ufe76\ufe78\ufe7a\ufe7c\ufe7e\uff9e\uff9f]+"
)
_IOTA: Final = "\N{GREEK SMALL LETTER IOTA}"
_IOTA_BELOW: Final = "\N{COMBINING GREEK YPOGEGRAMMENI}"
"""A combining sign, of which case folding makes a letter."""
_PART: Final = re.compile(r'(?P<minus>(?<!\S)-)?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+))')


@dataclass(frozen=True)
class TextSearch:
    """What a message must have. All texts are folded already."""

    words: frozenset[str]
    phrases: tuple[str, ...]
    unwanted_words: frozenset[str]
    unwanted_phrases: tuple[str, ...]
    case_sensitive: bool = False
    diacritic_sensitive: bool = False

    @classmethod
    def parse(
        cls, text: str, *, case_sensitive: bool = False, diacritic_sensitive: bool = False
    ) -> TextSearch:
        """Read the text of a ``$search``."""
        fold = _Folding(case_sensitive, diacritic_sensitive)
        words: set[str] = set()
        phrases: list[str] = []
        unwanted_words: set[str] = set()
        unwanted_phrases: list[str] = []
        for part in _PART.finditer(text):
            is_phrase = part["phrase"] is not None
            said = part["phrase"] if is_phrase else part["word"]
            folded, own = fold.text(said), fold.words(said)
            if part["minus"]:
                if is_phrase:
                    unwanted_phrases.append(folded)
                else:
                    unwanted_words.update(own)
                continue
            words.update(own)
            if is_phrase and own:
                phrases.append(folded)
        return cls(
            frozenset(words),
            tuple(phrases),
            frozenset(unwanted_words),
            tuple(unwanted_phrases),
            case_sensitive,
            diacritic_sensitive,
        )

    @property
    def is_about_words_only(self) -> bool:
        """Whether an index of folded words can answer it without looking at the messages."""
        sensitive = self.case_sensitive or self.diacritic_sensitive
        return not (self.phrases or self.unwanted_phrases or sensitive)

    def is_in(self, message: str) -> bool:
        """Tell whether a message has what is searched for."""
        fold = _Folding(self.case_sensitive, self.diacritic_sensitive)
        words = set(fold.words(message))
        if self.words.isdisjoint(words) or not self.unwanted_words.isdisjoint(words):
            return False
        if not (self.phrases or self.unwanted_phrases):
            return True
        folded = fold.text(message)
        return all(phrase in folded for phrase in self.phrases) and not any(
            phrase in folded for phrase in self.unwanted_phrases
        )


def message_of(event_data: Any) -> str:
    """Return the text that people read: the data itself where it is text, else its ``message``."""
    if isinstance(event_data, dict):
        event_data = event_data.get("message")
    return event_data if isinstance(event_data, str) else ""


def folded_words(text: str) -> str:
    """Return the words of a text without case and accents, between spaces."""
    return " ".join(_Folding().words(text))


@dataclass(frozen=True)
class _Folding:
    """What does not count is taken from a text: its case, its accents, and always its forms of letters.

    Words begin and end at the same places whatever counts: so a word that is found where case or
    accents count is found where they do not, and an index of the latter is enough to look for either.
    """

    case_sensitive: bool = False
    diacritic_sensitive: bool = False

    def text(self, text: str) -> str:
        """Return the text in the form in which phrases are compared."""
        letters = self._letters(text)
        if letters.isascii():
            return letters
        return unicodedata.normalize("NFC", letters) if self.diacritic_sensitive else _bare(letters)

    def words(self, text: str) -> list[str]:
        """Return the words in their order."""
        letters = self._letters(text)
        if letters.isascii():
            return _WORD.findall(letters)
        bare = _bare(letters)
        if not self.diacritic_sensitive or len(bare) == len(letters):
            return _WORD.findall(bare)
        places = [place for place, letter in enumerate(letters) if not unicodedata.combining(letter)]
        places.append(len(letters))
        return [
            unicodedata.normalize("NFC", letters[places[word.start()] : places[word.end()]])
            for word in _WORD.finditer(bare)
        ]

    def _letters(self, text: str) -> str:
        """Return the letters, each followed by its accents."""
        if text.isascii():
            return text if self.case_sensitive else text.lower()
        if self.case_sensitive:
            return unicodedata.normalize("NFKD", text).replace(_IOTA_BELOW, _IOTA)
        letters = unicodedata.normalize("NFKD", text.casefold())
        # A bold or circled A has no small letter until it is an A.
        return unicodedata.normalize("NFKD", letters.casefold())


def _bare(letters: str) -> str:
    """Return the letters without their accents."""
    return "".join([letter for letter in letters if not unicodedata.combining(letter)])
