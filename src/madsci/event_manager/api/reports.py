"""Utilization reports and lab metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Annotated, Any, Final

from fastapi import Query, Request
from pydantic import WithJsonSchema
from starlette.responses import JSONResponse, Response

from madsci.common.asked_time import Span, is_relative
from madsci.common.clock import UTC, now_us
from madsci.common.errors import InvalidInputError, MadsciError
from madsci.common.nearest import right_one
from madsci.event_manager.analytics.asked import Asked, Form, Kind, wall_clock, window_between
from madsci.event_manager.analytics.periods import Length, length_named
from madsci.event_manager.analytics.service import Reports
from madsci.event_manager.api.attending import attended
from madsci.event_manager.api.guard import Guard
from madsci.event_manager.api.operations import WANTS_HEAD, Handler, Operations, Scope
from madsci.event_manager.api.parameters import OR_NONE, Time, read_span
from madsci.event_manager.api.problems import problem_of

_TAG: Final = "reports"
_LAB: Final = "/metrics/lab"
AsCsv = Annotated[bool, Query(description="Whether the report is to be CSV.")]
Save = Annotated[
    bool, Query(description="Whether the CSV is written to a file on the server, below `report_dir`.")
]
Folder = Annotated[
    str | None,
    OR_NONE,
    Query(description="The folder for that, within `report_dir`."),
]
LengthName = Annotated[
    str,
    WithJsonSchema({"type": "string", "enum": [one.value for one in Length]}),
    Query(description="How long periods are."),
]
Zone = Annotated[
    str,
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[A-Za-z][A-Za-z0-9_+/-]*$",
            "examples": ["America/Chicago", "Europe/Berlin", "UTC"],
        }
    ),
    Query(description="The IANA name of the time zone by whose clocks periods begin."),
]
WithUsers = Annotated[bool, Query(description="Whether the people are listed, too.")]
FormName = Annotated[
    str,
    WithJsonSchema({"type": "string", "enum": [one.value for one in Form]}),
    Query(description="`methods` is a text for a paper's methods section."),
]


@dataclass(frozen=True)
class _Names:
    """What files of a report are called, and the report in a reply."""

    download: str
    file: str
    report: str


_NAMES: Final = {
    Kind.SESSIONS: _Names(
        "session_utilization_report.csv", "madsci_utilization_report_basic_{day}.csv",
        "session_utilization",
    ),
    Kind.PERIODS: _Names(
        "utilization_periods_report.csv", "madsci_utilization_periods_{length}_{day}.csv",
        "utilization_periods",
    ),
    Kind.USERS: _Names(
        "user_utilization_report.csv", "madsci_user_utilization_detailed_{day}.csv", "user_utilization"
    ),
    Kind.LAB: _Names("lab_metrics.csv", "madsci_lab_metrics_{day}.csv", "lab_metrics"),
}  # fmt: skip
_MEDIA: Final = {
    Form.JSON: "application/json", Form.CSV: "text/csv; charset=utf-8",
    Form.METHODS: "text/plain; charset=utf-8",
}  # fmt: skip
_JSON: Final[dict[str, Any]] = {"application/json": {"schema": {"type": "object"}}}
_TEXT: Final[dict[str, Any]] = {"schema": {"type": "string"}}


def report_operations(reports: Reports, guard: Guard, naive_zone: tzinfo | None) -> Operations:
    """Return the operations that make reports."""
    answers = _Answers(reports, guard, naive_zone)
    operations = Operations()

    @_add(operations, "/utilization/sessions", "get_session_utilization", "Utilization by sessions")
    async def get_session_utilization(  # noqa: PLR0913 - the parameters of the route
        request: Request,
        *,
        start_time: Time = None,
        end_time: Time = None,
        csv_format: AsCsv = False,
        save_to_file: Save = False,
        output_path: Folder = None,
    ) -> Response:
        """Return for each time that the lab or a workcell was up what experiments and nodes did.

        From `start_time` to `end_time`; a day from or to the one that is given, all that is stored
        without both. Times that nobody knows are told as unknown.
        """
        wanted = _Wanted(Kind.SESSIONS, _form(csv_format), start_time, end_time)
        return await answers.answer(request, wanted, save=save_to_file, folder=output_path)

    @_add(operations, "/utilization/periods", "get_utilization_periods", "Utilization by periods")
    async def get_utilization_periods(  # noqa: PLR0913 - the parameters of the route
        request: Request,
        *,
        start_time: Time = None,
        end_time: Time = None,
        analysis_type: LengthName = "daily",
        user_timezone: Zone = "America/Chicago",
        include_users: WithUsers = True,
        csv_format: AsCsv = False,
        save_to_file: Save = False,
        output_path: Folder = None,
    ) -> Response:
        """Return utilization by hours, days, weeks or months of a wall clock, which add up."""
        options = {
            "analysis_type": analysis_type, "user_timezone": user_timezone,
            "include_users": include_users,
        }  # fmt: skip
        wanted = _Wanted(Kind.PERIODS, _form(csv_format), start_time, end_time, options)
        return await answers.answer(request, wanted, save=save_to_file, folder=output_path)

    async def get_user_utilization(  # noqa: PLR0913 - the parameters of the route
        request: Request,
        *,
        start_time: Time = None,
        end_time: Time = None,
        csv_format: AsCsv = False,
        save_to_file: Save = False,
        output_path: Folder = None,
    ) -> Response:
        """Return which workflows people ran, for how long, and what became of them."""
        wanted = _Wanted(Kind.USERS, _form(csv_format), start_time, end_time)
        return await answers.answer(request, wanted, save=save_to_file, folder=output_path)

    for path, name in (("user", "get_user_utilization"), ("users", "get_users_utilization")):
        _add(operations, f"/utilization/{path}", name, "Utilization by people")(get_user_utilization)

    @_add(operations, _LAB, "get_lab_metrics", "Figures of the whole lab")
    async def get_lab_metrics(
        request: Request,
        start_time: Time = None,
        end_time: Time = None,
        format: FormName = "json",  # noqa: A002 - the name of the parameter
    ) -> Response:
        """Return states, reliability, autonomy, throughput, and where time was lost and for whom."""
        wanted = _Wanted(Kind.LAB, format, start_time, end_time)
        return await answers.answer(request, wanted)

    return operations


def _add(operations: Operations, path: str, name: str, summary: str) -> Callable[[Handler], Handler]:
    """Return a decorator that makes a function the handler of a report."""
    content, statuses = {**_JSON, "text/csv": _TEXT}, [409, 504]
    if path == _LAB:
        content, statuses = {**content, "text/plain": _TEXT}, [504]
    return operations.add(
        "GET", path, name, summary, Scope.READ, _TAG, tuple(statuses), response_class=Response,
        responses={200: {"description": "The report.", "content": content}},
    )  # fmt: skip


def _form(is_csv: bool) -> str:  # noqa: FBT001 - a parameter of the routes
    return str((Form.CSV if is_csv else Form.JSON).value)


def form_named(name: str) -> Form:
    """Return the form that a word says.

    Raises:
        InvalidInputError: it is none.
    """
    try:
        return Form(name)
    except ValueError:
        words = [one.value for one in Form]
        hint = right_one(name, words)
        raise InvalidInputError(f"format: {name!r:.40} is no form of a report. {hint}") from None


@dataclass(frozen=True)
class _Wanted:
    """What a request asks for, as it says it."""

    kind: Kind
    form: str
    start_time: str | None
    end_time: str | None
    options: dict[str, Any] = field(default_factory=dict)

    def asked(self, naive_zone: tzinfo | None) -> Asked:
        """Return what is meant; days are those of the wall clock by which periods begin.

        Raises:
            InvalidInputError: it cannot be meant.
        """
        now, form = now_us(), form_named(self.form)
        if self.kind is not Kind.PERIODS:
            return Asked(self.kind, form, self._window(naive_zone, naive_zone, now), now)
        zone = wall_clock(self.options["user_timezone"])
        return Asked(
            self.kind, form, self._window(naive_zone, zone, now), now,
            length_named(self.options["analysis_type"]), zone, self.options["include_users"],
        )  # fmt: skip

    def _window(
        self, naive_zone: tzinfo | None, zone_of_days: tzinfo | None, now: int
    ) -> tuple[int, int] | None:
        start = _read("start_time", self.start_time, naive_zone, zone_of_days)
        end = _read("end_time", self.end_time, naive_zone, zone_of_days)
        is_until_now = self.kind is Kind.LAB or is_relative(self.start_time)
        if start is not None and end is None and is_until_now:
            end = Span(now, now)  # as whoever asks since when means it
        return window_between(start, end, now)


def _read(
    name: str, text: str | None, naive_zone: tzinfo | None, zone_of_days: tzinfo | None
) -> Span | None:
    """Return what a parameter means: a day is one of the report's clock, an instant is not."""
    span = read_span(name, text, naive_zone)
    is_day = span is not None and span.first != span.last
    return read_span(name, text, zone_of_days) if is_day else span


class _Answers:
    """What the routes have in common."""

    def __init__(self, reports: Reports, guard: Guard, naive_zone: tzinfo | None) -> None:
        self._reports = reports
        self._guard = guard
        self._naive_zone = naive_zone

    async def answer(
        self, request: Request, wanted: _Wanted, *, save: bool = False, folder: str | None = None
    ) -> Response:
        """Return the report, or where it was written to, or what is wrong.

        What is wrong stands under ``error``, too, where programs written for MADSci look for it.
        """
        try:
            asked = wanted.asked(self._naive_zone)
            if asked.form is Form.CSV and save and WANTS_HEAD not in request.scope:
                return await self._saved(request, asked, folder)
            body = await self._report(request, asked)
        except MadsciError as error:
            return problem_of(error, error=error.message)
        headers = {}
        if asked.form is Form.CSV:
            download = _NAMES[asked.kind].download
            headers["Content-Disposition"] = f"attachment; filename={download}"
        return Response(body, media_type=_MEDIA[asked.form], headers=headers)

    async def _report(self, request: Request, asked: Asked) -> bytes:
        body: bytes = await attended(request.receive, self._reports.report(asked))
        return body

    async def _saved(self, request: Request, asked: Asked, folder: str | None) -> Response:
        """Write the report into a file, unless another site's page asks for it; say where."""
        refusal = self._guard.refusal(request.scope, dict(request.scope["headers"]), changes=True)
        if refusal is not None:
            return refusal
        place = self._reports.folder(folder)
        names, day = _NAMES[asked.kind], f"{datetime.now(UTC):%Y%m%d}"
        name = names.file.format(day=day, length=asked.length.value)
        path = await self._reports.save(await self._report(request, asked), place, name)
        return JSONResponse(
            {
                "success": True,
                "message": "CSV file saved successfully",
                "file_path": str(path),
                "csv_format": True,
                "saved_to_server": True,
                "report_type": names.report,
            }
        )
