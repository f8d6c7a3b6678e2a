"""Counts instead of events: how many match, when, and with which values."""

from __future__ import annotations

import re
from datetime import tzinfo
from typing import Annotated, Any, Final

from fastapi import Query, Request
from pydantic import WithJsonSchema

from madsci.event_manager.api.attending import attended
from madsci.event_manager.api.bodies import Bodies
from madsci.event_manager.api.models import CountReply, FacetsReply, HistogramReply
from madsci.event_manager.api.operations import Operations, Scope
from madsci.event_manager.api.parameters import OR_NONE, question_of_request
from madsci.event_manager.api.question_schema import OPTIONAL_BODY
from madsci.event_manager.model.tally import GROUPINGS, Tally
from madsci.event_manager.search import facets, histogram
from madsci.event_manager.search.question import Question
from madsci.event_manager.search.service import Search

_GROUPINGS: Final = ", ".join(GROUPINGS)
_ONE_OF_THEM: Final = "|".join(map(re.escape, GROUPINGS))
Interval = Annotated[
    str | None,
    OR_NONE,
    WithJsonSchema({"type": "string", "pattern": "^([1-9][0-9]{0,5}(ms|s|m|h|d|w)?)?$"}),
    Query(description="Length of a bucket: `30s`, `5m`, `1h`, `1d`, `1w`; none for a round one."),
]
By = Annotated[
    str | None,
    OR_NONE,
    WithJsonSchema({"type": "string", "enum": ["", *GROUPINGS]}),
    Query(description=f"Count by one of {_GROUPINGS}, too."),
]
Names = Annotated[
    str | None,
    OR_NONE,
    WithJsonSchema({"type": "string", "pattern": f"^(({_ONE_OF_THEM})(,({_ONE_OF_THEM}))*)?$"}),
    Query(description=f"Which of {_GROUPINGS}; none for all."),
]
Top = Annotated[int, Query(ge=1, le=facets.MAX_TOP, description="Values of each.")]


def summary_operations(search: Search, bodies: Bodies, naive_zone: tzinfo | None) -> Operations:
    """Return the operations that count; each as GET for people, and as POST for large selectors."""
    operations = Operations()
    asked = question_of_request(bodies, naive_zone)

    async def count_events(request: Request, question: Question = asked) -> dict[str, Any]:
        """Return how many events match a selector; archived ones too, unless left out."""
        counting = search.count(question.selector, since=question.since)
        return {"count": await attended(request.receive, counting)}

    async def histogram_of_events(
        request: Request, question: Question = asked, interval: Interval = None, by: By = None
    ) -> dict[str, Any]:
        """Return how many events match in each interval between the first and the last of them."""
        width = None if interval is None else histogram.parse_interval(interval)
        grouping = None if by is None else facets.grouping_named(by)
        counting = search.histogram(question.selector, grouping, width, since=question.since)
        buckets, counts = await attended(request.receive, counting)
        return histogram.answer(buckets, by, counts)

    async def facets_of_events(
        request: Request, question: Question = asked, by: Names = None, top: Top = facets.DEFAULT_TOP
    ) -> dict[str, Any]:
        """Return the most frequent values among the events that match."""
        groupings = facets.parse_groupings(by)
        counting = search.tally(
            Tally(question.selector),
            *(Tally(question.selector, grouping, top=top) for grouping in groupings),
            since=question.since,
        )
        total, *counts = await attended(request.receive, counting)
        number = sum(one.count for one in total)
        return {
            "total": number,
            "facets": {
                grouping.name: facets.facet(grouping, found, number)
                for grouping, found in zip(groupings, counts, strict=True)
            },
        }

    for what, call, summary, reply in (
        ("count", count_events, "Count events", CountReply),
        ("histogram", histogram_of_events, "Count events over time", HistogramReply),
        ("facets", facets_of_events, "The most frequent values", FacetsReply),
    ):
        for method, name, body in (
            ("GET", f"{what}_events", None),
            ("POST", f"{what}_query", OPTIONAL_BODY),
        ):
            operations.add(
                method,
                f"/events/{what}",
                name,
                summary,
                Scope.READ,
                "events",
                (400, 413, 415, 504),
                response_model=reply,
                openapi_extra=body,
            )(call)
    return operations
