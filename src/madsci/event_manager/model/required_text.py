"""The text that every match of a regular expression holds, which is asked first as it is far quicker.

Only what is certain is read: characters that stand for themselves, outside of groups and alternatives.
Where something could change what they mean (options inside the expression, verbs, comments), nothing is
said. See https://www.pcre.org/current/doc/html/pcre2syntax.html.
"""

from __future__ import annotations

import re
from typing import Final

_CHANGING: Final = re.compile(r"\(\*|\(\?(?!i?:)|\\Q|\\E|\\K")
"""Verbs, groups with more than case in their options, quotations, a match that begins anew."""
_PIECE: Final = re.compile(
    r"\\(?P<escaped>[^\w\s])"
    r"|(?P<kind>\\[dDwWsSbBAzZ]|[.^$])"
    r"|(?P<set>\[\^?\]?(?:\\[\w\W]|\[:\^?[a-z]+:\]|[^\]\\\[])*\])"
    r"|(?P<count>[*?+]|\{\d*,?\d*\})"
    r"|(?P<open>\((?:\?i?:)?)|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<plain>[^\\\[\](){}|*?+.^$])"
)


def required_text(pattern: str, options: str) -> str | None:
    """Return the longest text that every text matching a valid pattern holds, if one is certain."""
    if set(options) & set("ix") or _CHANGING.search(pattern):
        return None
    runs, depth, place = [""], 0, 0
    while place < len(pattern):
        piece = _PIECE.match(pattern, place)
        if piece is None:
            return None  # something rare, such as a code or a class by its name
        place = piece.end()
        depth += piece.lastgroup == "open"
        depth -= piece.lastgroup == "close"
        if piece["bar"] and not depth:
            return None
        if depth:
            runs.append("")
        elif character := piece["escaped"] or piece["plain"]:
            runs[-1] += character
        else:
            if piece["count"] and piece["count"] != "+":
                runs[-1] = runs[-1][:-1]  # what stands before it may be missing
            runs.append("")
    return max(runs, key=len) or None
