"""Counts instead of events: how many match, when, and with which values."""

from __future__ import annotations

from datetime import tzinfo
from typing import Annotated, Any

from fastapi import APIRouter, Query

from madsci.event_manager.api.events import QUESTION_BODY
from madsci.event_manager.api.models import (
    CountReply,
    FacetsReply,
    HistogramReply,
    problem_responses,
)
from madsci.event_manager.api.parameters import question_of_request
from madsci.event_manager.model.selector import Compare, conjuncts
from madsci.event_manager.model.tally import Tally
from madsci.event_manager.search import facets, histogram
from madsci.event_manager.search.question import Question
from madsci.event_manager.search.service import Search

_PROBLEMS: dict[int | str, dict[str, Any]] = problem_responses(400, 413, 422, 503, 504)

Interval = Annotated[
    str | None,
    Query(description="Length of a bucket: `30s`, `5m`, `1h`, `1d`, `1w`; none for a round one."),
]
By = Annotated[
    str | None,
    Query(description="Count by type, level, node, workcell, experiment, workflow or user, too."),
]
Names = Annotated[
    str | None,
    Query(
        description="Which of type, level, node, workcell, experiment, workflow, user; none for all."
    ),
]
Top = Annotated[int, Query(ge=1, le=facets.MAX_TOP, description="Values of each.")]


def summaries_router(search: Search, naive_zone: tzinfo | None) -> APIRouter:
    """Return the routes that count; each as GET for people, and as POST for large selectors."""
    router = APIRouter(tags=["events"])
    asked = question_of_request(naive_zone)

    async def count_events(question: Question = asked) -> dict[str, Any]:
        """Return how many events match a selector; archived ones too, unless left out."""
        return {"count": await search.count(question.selector)}

    async def histogram_of_events(
        question: Question = asked, interval: Interval = None, by: By = None
    ) -> dict[str, Any]:
        """Return how many events match in each interval between the first and the last of them."""
        width = None if interval is None else histogram.parse_interval(interval)
        grouping = None if by is None else facets.grouping_named(by)
        span = await _span(search, question)
        if span is None:
            return histogram.answer(None, by, [])
        buckets = histogram.buckets_between(*span, width)
        (counts,) = await search.tally(Tally(question.selector, grouping, buckets))
        return histogram.answer(buckets, by, counts)

    async def facets_of_events(
        question: Question = asked, by: Names = None, top: Top = facets.DEFAULT_TOP
    ) -> dict[str, Any]:
        """Return the most frequent values among the events that match."""
        groupings = facets.parse_groupings(by)
        total, *counts = await search.tally(
            Tally(question.selector),
            *(Tally(question.selector, grouping, top=top) for grouping in groupings),
        )
        number = sum(one.count for one in total)
        return {
            "total": number,
            "facets": {
                grouping.name: facets.facet(grouping, found, number)
                for grouping, found in zip(groupings, counts, strict=True)
            },
        }

    for path, call, summary, reply in (
        ("/events/count", count_events, "Count events", CountReply),
        ("/events/histogram", histogram_of_events, "Count events over time", HistogramReply),
        ("/events/facets", facets_of_events, "The most frequent values", FacetsReply),
    ):
        router.get(path, summary=summary, response_model=reply, responses=_PROBLEMS)(call)
        router.post(
            path,
            summary=summary,
            response_model=reply,
            responses=_PROBLEMS,
            openapi_extra=QUESTION_BODY,
        )(call)
    return router


async def _span(search: Search, question: Question) -> tuple[int, int] | None:
    """Return the times of the first and the last event, or of the bounds that were asked for."""
    bounds: dict[str, int] = {}
    for part in conjuncts(question.selector):
        if isinstance(part, Compare) and part.path == ("event_timestamp",):
            bounds[part.operator[:3]] = part.value
    if "$gt" in bounds and "$lt" in bounds:
        return bounds["$gt"], max(bounds["$gt"], bounds["$lt"])
    span = await search.span(question.selector)
    if span is None:
        return None
    first, last = bounds.get("$gt", span[0]), bounds.get("$lt", span[1])
    return first, max(first, last)
