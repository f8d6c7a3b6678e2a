"""Making backups while the server runs, and which there are."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from madsci.common.errors import InvalidInputError
from madsci.common.types.backup_settings import BackupSettings
from madsci.event_manager.api.bodies import Bodies, errors_in_body
from madsci.event_manager.api.models import (
    BackupReply,
    BackupRequest,
    BackupStatusReply,
)
from madsci.event_manager.api.operations import Operations, Scope
from madsci.event_manager.backup.routine import Backups
from madsci.event_manager.model.json_reading import read_json

MANUAL = "manual_backup"
"""The description of a backup that was asked for without one."""


def backup_operations(backups: Backups, bodies: Bodies, settings: BackupSettings) -> Operations:
    """Return the operations about backups. What takes long runs in a thread, to its end."""
    operations = Operations()

    @operations.add(
        "POST",
        "/backup",
        "create_backup",
        "Make a backup",
        Scope.MANAGE,
        "backup",
        (400, 409, 413, 415),
        response_model=BackupReply,
        openapi_extra=_BODY,
    )
    async def create_backup(request: Request) -> dict[str, Any]:
        """Write everything that was acknowledged before into the backup folder, and read it back."""
        wanted = read_backup_request(await bodies.read(request))
        description = wanted.description or MANUAL
        backup = await run_in_threadpool(backups.create, description)
        return {"backup_path": str(backup.path), "status": "completed", **backup.as_json()}

    async def backup_status() -> dict[str, Any]:
        """Return the backups in the folder, the newest first, and whether a schedule makes more."""
        found = await run_in_threadpool(backups.available)
        return {
            "backup_enabled": settings.backup_enabled,
            "backup_schedule": settings.backup_schedule,
            "backup_dir": str(settings.backup_dir.absolute()),
            "available_backups": [backup.as_json() for backup in found],
        }

    for path, name in (("/backup/status", "get_backup_status"), ("/backup", "get_backups")):
        operations.add(
            "GET",
            path,
            name,
            "Which backups there are",
            Scope.READ,
            "backup",
            response_model=BackupStatusReply,
        )(backup_status)
    return operations


def read_backup_request(body: bytes) -> BackupRequest:
    """Read what a backup is made for; nothing is said by an empty body, or by ``null``.

    Raises:
        InvalidInputError: the body is something else.
    """
    document = read_json(body)[0] if body.strip() else None
    if not isinstance(document, dict | None):
        raise InvalidInputError(
            f"What a backup is made for is a JSON object with a description, not {document!r:.40}."
        )
    try:
        return BackupRequest.model_validate({} if document is None else document)
    except ValidationError as error:
        errors = errors_in_body(error)
        sentence = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in errors)
        raise InvalidInputError(
            f'{sentence}. A backup takes {{"description": "…"}}, or no body.', errors
        ) from error


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"anyOf": [BackupRequest.model_json_schema(), {"type": "null"}]},
                "example": {"description": "before the move"},
            }
        }
    }
}
