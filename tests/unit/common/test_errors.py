"""The exception tree is the one that is drawn, and every class explains itself."""

from __future__ import annotations

import inspect
import re

import pytest

from madsci.common import errors
from madsci.common.errors import (
    AlertNotFoundError,
    EventNotFoundError,
    InvalidInputError,
    MadsciError,
    OverloadedError,
    ServerRefusedError,
)

CLASSES = [
    one
    for one in vars(errors).values()
    if inspect.isclass(one) and issubclass(one, MadsciError) and one.__module__ == errors.__name__
]
PLAIN = [
    one for one in CLASSES if one not in (AlertNotFoundError, EventNotFoundError, ServerRefusedError)
]


def drawn_tree() -> list[tuple[str, str]]:
    """The (class, parent) pairs of the drawing, from top to bottom."""
    pairs = []
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"    ([│ ]*)(?:[├└]── )?([A-Z]\w*Error)\b", line)
        if match is None:
            continue
        depth = (match.start(2) - 4) // 4
        del path[depth:]
        if path:
            pairs.append((match[2], path[-1]))
        path.append(match[2])
    return pairs


def test_the_drawn_tree_is_the_real_one():
    real = {(one.__name__, one.__bases__[0].__name__) for one in CLASSES if one is not MadsciError}
    assert set(drawn_tree()) == real
    assert len(drawn_tree()) == len(real)


def test_every_class_has_a_code_of_its_own_in_kebab_case():
    codes = [vars(one)["code"] for one in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", PLAIN, ids=lambda one: one.__name__)
def test_the_docstring_is_the_default_message(kind):
    assert kind().message == kind.__doc__
    assert kind.__doc__.strip()
    assert kind("said so").message == "said so"
    assert str(kind("said so")) == "said so"


def test_invalid_input_lists_single_failures():
    assert InvalidInputError().errors == []
    assert InvalidInputError("x", [{"loc": ["a"], "msg": "m"}]).errors == [{"loc": ["a"], "msg": "m"}]


def test_an_event_that_is_not_there_is_named_as_the_contract_words_it():
    assert EventNotFoundError("abc").message == "Event with ID abc not found"


def test_an_overload_says_when_to_come_back():
    assert OverloadedError().retry_after == 1
    assert OverloadedError("x", 5).retry_after == 5


def test_a_refusal_of_the_server_carries_its_answer():
    plain = ServerRefusedError(status=500)
    assert (plain.status, plain.problem, plain.retry_after) == (500, {}, None)
    assert plain.message == ServerRefusedError.__doc__
    full = ServerRefusedError("no", status=503, problem={"code": "overloaded"}, retry_after=2.0)
    assert (full.problem, full.retry_after) == ({"code": "overloaded"}, 2.0)
