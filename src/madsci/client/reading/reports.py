"""What an ``EventClient`` asks of the server about the lab itself: how busy it was, and how it did."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Final

from madsci.client.reading.argument_types import Moment
from madsci.client.reading.asynchronous import asynchronous
from madsci.client.reading.questions import Questions

_CSV: Final = "text/csv"
_TEXTS: Final = {"csv": _CSV, "methods": "text/plain"}
"""The formats of lab metrics that are texts, and their types of content."""


class Reports(Questions):
    """The reports of ``EventClient``. Thread-safe.

    A report is about the time from ``start_time`` to ``end_time``, each of which may be left out: the
    server then chooses. They may be days or relative (``"-24h"``, ``"today"``); what has no zone is of
    this machine's. Timeouts are in seconds; ``None`` is ``timeout_data_operations``. Without a server
    there is no report: a warning and ``None``.
    """

    def get_session_utilization(  # noqa: PLR0913 - as existing programs call it
        self,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        csv_export: bool = False,  # noqa: FBT001, FBT002 - given by position in existing programs
        save_to_file: bool = False,  # noqa: FBT001, FBT002
        output_path: str | PathLike[str] | None = None,
        *,
        timeout: float | None = None,
    ) -> dict[str, Any] | str | None:
        """Return how busy lab and nodes were in each session, as ``GET /utilization/sessions`` replies.

        Days are those of the lab, as the server knows its zone; a relative ``start_time`` alone is up
        to now, another one for a day.

        With ``csv_export`` the report comes as CSV text, where the server replies with that, else as a
        JSON object. ``save_to_file`` goes with ``output_path``, a folder on the server, within the one
        that it is configured to write in, and has the server write the CSV there; the reply then
        tells about the file. ``output_path`` alone has no effect.

        Raises:
            ServerUnreachableError: the server does not answer in time.
            ServerRefusedError: the server answers with an error, such as about the folder.
            TypeError, ValueError: a time cannot be read, or ``save_to_file`` has no ``output_path``.
        """
        from madsci.client.reading.request_parts import report_params  # noqa: PLC0415 - most programs only log

        params = report_params(
            start_time, end_time, output_path, csv_export=csv_export, save_to_file=save_to_file
        )
        kind = _CSV if csv_export else None
        return self._report("get_session_utilization", "utilization/sessions", params, kind, timeout)

    async_get_session_utilization = asynchronous(get_session_utilization)

    def get_utilization_periods(  # noqa: PLR0913, PLR0917 - as existing programs call it
        self,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        analysis_type: str = "daily",
        user_timezone: str = "America/Chicago",
        include_users: bool = True,  # noqa: FBT001, FBT002 - given by position in existing programs
        csv_export: bool = False,  # noqa: FBT001, FBT002
        save_to_file: bool = False,  # noqa: FBT001, FBT002
        output_path: str | PathLike[str] | None = None,
        *,
        timeout: float | None = None,
    ) -> dict[str, Any] | str | None:
        """Return how busy the lab was, period by period, as ``GET /utilization/periods`` replies.

        Periods are ``hourly``, ``daily``, ``weekly`` or ``monthly`` by the clocks of ``user_timezone``,
        a name such as ``Europe/Berlin``, and so are days. ``include_users`` adds who had how much
        done. The rest, and what is raised, is that of ``get_session_utilization``.
        """
        from madsci.client.reading.request_parts import report_params  # noqa: PLC0415 - most programs only log

        params = {
            **report_params(
                start_time, end_time, output_path, csv_export=csv_export, save_to_file=save_to_file
            ),
            "analysis_type": analysis_type,
            "user_timezone": user_timezone,
            "include_users": "true" if include_users else "false",
        }
        kind = _CSV if csv_export else None
        return self._report("get_utilization_periods", "utilization/periods", params, kind, timeout)

    async_get_utilization_periods = asynchronous(get_utilization_periods)

    def get_user_utilization_report(  # noqa: PLR0913 - as existing programs call it
        self,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        csv_export: bool = False,  # noqa: FBT001, FBT002 - given by position in existing programs
        save_to_file: bool = False,  # noqa: FBT001, FBT002
        output_path: str | PathLike[str] | None = None,
        *,
        timeout: float | None = None,
    ) -> dict[str, Any] | str | None:
        """Return who had how many workflows run, and how long, as ``GET /utilization/user`` replies.

        The parameters, and what is raised, are those of ``get_session_utilization``.
        """
        from madsci.client.reading.request_parts import report_params  # noqa: PLC0415 - most programs only log

        params = report_params(
            start_time, end_time, output_path, csv_export=csv_export, save_to_file=save_to_file
        )
        kind = _CSV if csv_export else None
        # Servers of earlier releases know this path, and not that of the plural.
        return self._report("get_user_utilization_report", "utilization/user", params, kind, timeout)

    async_get_user_utilization_report = asynchronous(get_user_utilization_report)

    def get_lab_metrics(
        self,
        start_time: Moment | None = None,
        end_time: Moment | None = None,
        format: str = "json",  # noqa: A002 - the name of the route's parameter
        *,
        timeout: float | None = None,
    ) -> dict[str, Any] | str | None:
        """Return how the lab did in figures, as ``GET /metrics/lab`` replies.

        ``format`` is ``json`` for an object, ``csv`` for a table as text, or ``methods`` for sentences
        that can go into the methods section of a paper. Raises what ``get_session_utilization`` raises.
        """
        from madsci.client.reading.request_parts import report_span_params  # noqa: PLC0415 - most programs only log

        params = {**report_span_params(start_time, end_time), "format": format}
        return self._report("get_lab_metrics", "metrics/lab", params, _TEXTS.get(format), timeout)

    async_get_lab_metrics = asynchronous(get_lab_metrics)

    def _report(
        self,
        name: str,
        path: str,
        params: Mapping[str, str],
        text_kind: str | None,
        timeout: float | None,
    ) -> dict[str, Any] | str | None:
        if self._lacks_server(name):
            return None
        return self._reader_for(timeout).report(path, params, text_kind, timeout)
