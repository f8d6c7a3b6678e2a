"""Making backups while the server runs, and which there are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body
from starlette.concurrency import run_in_threadpool

from madsci.common.types.backup_settings import BackupSettings
from madsci.event_manager.api.models import (
    BackupReply,
    BackupRequest,
    BackupStatusReply,
    problem_responses,
)
from madsci.event_manager.backup.routine import Backups

MANUAL = "manual_backup"
"""The description of a backup that was asked for without one."""


def backup_router(backups: Backups, settings: BackupSettings) -> APIRouter:
    """Return the routes about backups. What takes long runs in a thread, to its end."""
    router = APIRouter(tags=["backup"])

    @router.post(
        "/backup",
        summary="Make a backup",
        response_model=BackupReply,
        responses=problem_responses(409, 422, 500, 503),
    )
    async def create_backup(
        request: Annotated[BackupRequest | None, Body()] = None,
    ) -> dict[str, Any]:
        """Write everything that was acknowledged before into the backup folder, and read it back."""
        description = (request.description if request else None) or MANUAL
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

    for path in ("/backup/status", "/backup"):
        router.get(
            path,
            summary="Which backups there are",
            response_model=BackupStatusReply,
            responses=problem_responses(503),
        )(backup_status)
    return router
