"""Errors as RFC 9457 problem details: ``application/problem+json`` with one sentence in ``detail``."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from madsci.common import errors

# The most special class that an error belongs to decides.
_STATUS: Final[dict[type[errors.MadsciError], int]] = {
    errors.MalformedJsonError: 400,
    errors.MalformedRequestError: 400,
    errors.InvalidSelectorError: 400,
    errors.InvalidCursorError: 400,
    errors.InvalidInputError: 422,
    errors.NotFoundError: 404,
    errors.TooLargeError: 413,
    errors.HeadTooLargeError: 431,
    errors.RequestTimeoutError: 408,
    errors.UnsupportedBodyError: 415,
    errors.FormatUnavailableError: 501,
    errors.QueryTimeoutError: 504,
    errors.AbandonedError: 503,  # which nobody sees
    errors.OverloadedError: 503,
    errors.StoreUnavailableError: 503,
    errors.ConflictError: 409,
    errors.StoreInUseError: 409,
    errors.MadsciError: 500,
}


def status_of(error: errors.MadsciError) -> int:
    """Return the HTTP status of an error."""
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def problem_of(error: errors.MadsciError, /, **extra: Any) -> Response:
    """Return the reply to a request that ended in an error of ours; see ``problem``."""
    headers: dict[str, str] = {}
    if isinstance(error, errors.InvalidInputError) and error.errors:
        extra["errors"] = error.errors
    status = status_of(error)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(getattr(error, "retry_after", 1))
    return problem(status, error.message, error.code, headers=headers, **extra)


def problem(
    status: int,
    detail: str,
    code: str | None = None,
    *,
    headers: dict[str, str] | None = None,
    **extra: Any,
) -> Response:
    """Return a problem details reply. ``extra`` become further members of its body."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code or HTTPStatus(status).phrase.lower().replace(" ", "-"),
        **extra,
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def unexpected() -> Response:
    """Return the reply that keeps the details of an unexpected failure from strangers."""
    return problem(
        500,
        "The server failed in an unexpected way; its log tells how. Nothing that was answered"
        " before is affected. Send the request again, and report it if this stays.",
    )


def install(app: FastAPI) -> None:
    """Answer every error of the app with problem details."""

    async def own(_: Request, error: Exception) -> Response:
        return problem_of(error) if isinstance(error, errors.MadsciError) else unexpected()

    async def http(_: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            return unexpected()
        return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    async def validation(_: Request, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError) else []
        listed = [{"loc": list(one["loc"]), "msg": one["msg"], "type": one["type"]} for one in found]
        return problem(422, " ".join(_sentence(one) for one in found), errors=listed)

    app.add_exception_handler(errors.MadsciError, own)
    app.add_exception_handler(Exception, own)  # the framework logs it
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)


def _sentence(error: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
    return f"{place}: {error['msg']} (it is {error.get('input')!r:.80})."
