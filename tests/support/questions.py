"""Random events, and random questions about them that are likely to meet something."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from madsci.common.errors import InvalidSelectorError
from madsci.common.flattening import column_name
from madsci.event_manager.model.selector_parser import parse_selector
from madsci.event_manager.model.sender import text_of_known
from madsci.event_manager.model.stored_event import StoredEvent, encode_json

HOPELESS = {"$or": [{"event_data.message": {"$regex": f"(a|b)+{one}"}} for one in range(900)]}
"""Takes a millisecond of PCRE for each event whose message is a letter 200 times."""

# Few keys and values, so that questions often meet what is there.
# SQLite takes a NUL for the end of a name, so "z\0" is one whose beginning nobody asks for.
KEYS = ["a", "b", "0", "1", "", "a b", 'q"', "it's", "\\", "$.a", "é", "\n", "z\0", "-1", "[0]"]
names = st.sampled_from(KEYS[:4]) | st.sampled_from(KEYS)
numbers = st.sampled_from(
    [0, 1, -1, 2, 0.0, -0.0, 1.0, 1.5, 2**53, 2**53 + 1, float(2**53), 2**63 - 1, -(2**63), 2**63,
     2**64, float(2**63), 10**30, 1e30, 0.1, 0.30000000000000004, 5e-324, 1e308]
)  # fmt: skip
scalars = (
    numbers
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([None, True, False, "", "a", "A", "1", "a\0", "é", "\uffff", "😀", "null"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(names, values, max_size=3) | values

data_paths = st.lists(names.filter(lambda name: "." not in name), max_size=3).map(
    lambda path: ".".join(["event_data", *path])
) | st.lists(names, max_size=3).map(lambda path: column_name(["event_data", *path]))
paths = data_paths | data_paths | st.sampled_from(
    ["source.node_id", "source.a", "source.a.b", "extra", "extra.a", "trace_id", "log_level", "alert",
     "archived", "event_type", "_id", "event_id", "extra.b", "_id.a", "log_level.0", "span_id",
     "sender.name", "sender.host", "sender.process", "sender", "sender.a"]
)  # fmt: skip
plain_values = values.filter(
    lambda value: not isinstance(value, dict) or not any(key.startswith("$") for key in value)
)
comparisons = st.one_of(
    plain_values.filter(lambda value: not isinstance(value, dict) or value == {}),
    st.builds(
        lambda name, value: {name: value},
        st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]),
        plain_values,
    ),
    st.builds(
        lambda name, value: {name: value},
        st.sampled_from(["$in", "$nin"]),
        st.lists(plain_values, max_size=3),
    ),
    st.builds(lambda value: {"$exists": value}, st.booleans()),
    st.builds(lambda low, high: {"$gt": low, "$lte": high}, plain_values, plain_values),
)
small = st.integers(-3, 3) | st.sampled_from([1.5, -1.5, 2.0, 2**63 - 1, -(2**63)])
types = st.sampled_from(
    ["string", "int", "long", "double", "number", "decimal", "bool", "null", "object", "array", 1, 16,
     "date"]
)  # fmt: skip
texts = st.sampled_from(
    ["", "a", "^a", "A", "a.b", "é", "\\d", "^", "(a|1)", "l$", "[^a]", "^\U0001f600"]
)
tests = st.one_of(
    st.builds(lambda one: {"$type": one}, types | st.lists(types, min_size=1, max_size=3)),
    st.builds(lambda divisor, rest: {"$mod": [divisor, rest]}, small.filter(int), small),
    st.builds(lambda size: {"$size": size}, st.integers(0, 3)),
    st.builds(
        lambda name, mask: {name: mask},
        st.sampled_from(["$bitsAllSet", "$bitsAllClear", "$bitsAnySet", "$bitsAnyClear"]),
        st.sampled_from([0, 1, 2, 3, 2**62]) | st.lists(st.sampled_from([0, 1, 62, 63, 64, 200])),
    ),
    st.builds(
        lambda pattern, options: {"$regex": pattern, "$options": options},
        texts,
        st.sampled_from(["", "i", "m", "s", "x", "is"]),
    ),
    st.builds(
        lambda name, pattern, others: {name: [*others, {"$regularExpression": {"pattern": pattern}}]},
        st.sampled_from(["$in", "$nin", "$all"]),
        texts,
        st.lists(scalars, max_size=2),
    ),
)


@st.composite
def operands(draw, depth: int = 2):
    """Something to stand behind a path: a value, or an object of operators."""
    kind = draw(st.sampled_from(["plain", "test", "test", "not", "element", "document", "all"]))
    if kind == "plain" or depth == 0:
        return draw(comparisons)
    if kind == "test":
        return draw(tests)
    if kind == "document":
        return {
            "$elemMatch": {
                draw(names.filter(lambda name: not name.startswith("$"))): draw(operands(depth - 1))
            }
        }
    inner = draw(operands(depth - 1).filter(is_of_operators))
    if kind == "not":
        return {"$not": inner}
    if kind == "all":
        return {"$all": draw(st.just([{"$elemMatch": inner}]) | st.lists(plain_values, max_size=2))}
    return {"$elemMatch": inner}


def is_of_operators(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(key.startswith("$") for key in value)


def under_event_data(selector: Any) -> Any:
    """The same question about a document that lies in `event_data`."""
    if not isinstance(selector, dict):
        return selector
    wrapped = {}
    for key, value in selector.items():
        if key in ("$and", "$or", "$nor") and isinstance(value, list):
            wrapped[key] = [under_event_data(part) for part in value]
        else:
            wrapped[key if key.startswith("$") else f"event_data.{key}"] = value
    return wrapped


def asks_for_what_there_is(selector: Any) -> bool:
    """Whether a question has no word that is no level, no type and no flag, which is refused."""
    try:
        parse_selector(selector)
    except InvalidSelectorError as error:
        words = ("is no level", "is no type", "has no text", "finds no type", "is true or false")
        return not any(word in error.message for word in words)
    return True


searches = st.lists(
    st.sampled_from(["a", "jam", "É", "-jam", '"a jam"', '-"b"', "A_b", "1", "ß", "a-b", "-"]),
    max_size=3,
).map(" ".join)
flags = st.fixed_dictionaries(
    {}, optional={"$caseSensitive": st.booleans(), "$diacriticSensitive": st.booleans()}
)
searching = st.builds(
    lambda text, chosen, rest: {"$text": {"$search": text, **chosen}, **rest},
    searches,
    flags,
    st.dictionaries(paths, operands(), max_size=1),
)
searching |= searching.map(lambda one: {"$or": [one, {"log_level": 50}]})
selectors = searching | st.recursive(
    st.dictionaries(paths, operands(), max_size=2),
    lambda inner: st.builds(
        lambda name, parts, rest: {name: parts, **rest},
        st.sampled_from(["$and", "$or", "$nor"]),
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(paths, operands(), max_size=1),
    ),
    max_leaves=4,
)
selectors = selectors.filter(asks_for_what_there_is)
# The same questions about plain documents, which are not events.
top_names = st.sampled_from(["a", "a", "b"]) | names
plain_documents = st.dictionaries(top_names, values, min_size=1, max_size=3)
document_paths = (
    st.builds(lambda first, others: ".".join([first, *others]), top_names, st.lists(names, max_size=2))
    .filter(lambda path: "$" not in path)
)  # fmt: skip
document_conditions = st.builds(lambda path, operand: {path: operand}, document_paths, operands())
document_selectors = document_conditions | st.builds(
    lambda name, parts, rest: {name: parts, **rest},
    st.sampled_from(["$and", "$or", "$nor"]),
    st.lists(document_conditions, min_size=1, max_size=2),
    st.just({}) | document_conditions,
)

sources = st.dictionaries(st.sampled_from(["a", "b"]), values, max_size=2) | st.fixed_dictionaries(
    {"node_id": st.sampled_from(["", "a", "n1"])}
)
sender_names = st.sampled_from(["a", "A", "é", "a b", "x" * 60, "a\0", "1"])
senders = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "name": sender_names,
        "host": sender_names,
        "process": st.sampled_from([0, 1, 2**32 - 1]),
    },
).map(text_of_known)
messages = st.sampled_from(
    [
        "a jam",
        "Jam!",
        "jam_a",
        "É a-b",
        "e\u0301t\u00e9 \u00c9T\u00c9",
        "A_B a_b",
        "Straße STRASSE",
        "x\0jam",
        "½ 1",
    ]
).flatmap(
    lambda text: st.sampled_from(
        [text, {"message": text}, {"message": text, "workflow_id": "a"}, {"message": [text]}]
    )
)
events = st.builds(
    lambda moment, level, alert, archived, archived_at, trace, source, data, extra, sender: StoredEvent(
        "",
        "log",
        level,
        alert,
        moment,
        0,
        source,
        encode_json(data),
        trace,
        None,
        archived,
        archived_at if archived else None,
        extra,
        sender,
    ),
    st.integers(-3, 3),
    st.sampled_from([0, 20, 40, 50]),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(-1, 1),
    st.sampled_from([None, "", "a", "1"]),
    sources,
    documents | messages,
    st.none() | st.dictionaries(st.sampled_from(["a", "b"]), values, min_size=1, max_size=2),
    senders,
)
orders = st.lists(
    st.sampled_from(
        ["event_timestamp", "log_level", "alert", "trace_id", "archived_at", "source.node_id", "_id",
         "event_data", "event_data.a", "event_data.b.a", "extra.a", "received_at", 'event_data["$.a"]',
         'event_data["a"][""]', "sender.name", "sender.process"]
    ).flatmap(lambda path: st.sampled_from([path, f"-{path}"])),
    min_size=1,
    max_size=3,
    unique_by=lambda path: path.lstrip("-"),
)  # fmt: skip
