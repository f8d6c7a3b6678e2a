"""Whatever the event: every value has a column of its own, and the column tells its path."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from madsci.common.flattening import STANDARD_COLUMNS, column_name, column_path, flatten

names = st.text(st.sampled_from("ab.[]\"'\\\n\0 é"), max_size=4) | st.text(max_size=6)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=25,
)
objects = st.dictionaries(names, values, max_size=5)


def leaves(value, path=()):
    """What should stand in the row: the path of each value, and the value."""
    if isinstance(value, dict) and (value or not path):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    elif isinstance(value, (dict, list)):
        yield path, json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    else:
        yield path, value


@given(st.fixed_dictionaries({}, optional={"source": objects, "event_data": values, "extra": objects}))
def test_every_value_has_its_own_column_and_no_value_is_lost(document):
    row = flatten(document)
    expected = [
        found for name, value in document.items() if value != {} for found in leaves({name: value})
    ]
    found = [(column_path(column), value) for column, value in row.items()]
    assert [column_name(path) for path, _ in found] == list(row)
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


@given(st.dictionaries(st.sampled_from(STANDARD_COLUMNS) | st.just("_id") | names, values, max_size=8))
def test_columns_are_named_by_text_and_hold_scalars(document):
    for column, value in flatten(document).items():
        assert isinstance(column, str)
        assert value is None or isinstance(value, (str, int, float))
