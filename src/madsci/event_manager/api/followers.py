"""Those who follow the feed: how far each is, and passing over an event that holds one up."""

from __future__ import annotations

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from madsci.common.errors import InvalidInputError
from madsci.common.types.health import FollowerHealth
from madsci.event_manager.api.bodies import Bodies, errors_in_body
from madsci.event_manager.api.operations import Operations, Scope
from madsci.event_manager.feed.runner import Followers
from madsci.event_manager.model.json_reading import read_request


class SkipRequest(BaseModel):
    """Which follower is to pass over which event."""

    model_config = ConfigDict(extra="forbid")

    follower: str = Field(description="Its name, as `GET /followers` has it.")
    event_id: str = Field(description="The event that holds it up.")


class SkipReply(BaseModel):
    """Whether it passed over the event; else that is not, or no longer, what holds it up."""

    skipped: bool


class FollowersReply(BaseModel):
    """How it stands with those who follow the feed on this server."""

    followers: list[FollowerHealth]


def follower_operations(followers: Followers, bodies: Bodies) -> Operations:
    """Return the operations about followers."""
    operations = Operations()

    @operations.add(
        "GET",
        "/followers",
        "get_followers",
        "How far those are who follow the events",
        Scope.READ,
        "followers",
        response_model=FollowersReply,
    )
    def get_followers() -> FollowersReply:
        """Return for each how many events it is behind, and what holds it up."""
        return FollowersReply(followers=followers.stats())

    @operations.add(
        "POST",
        "/followers/skip",
        "skip_event",
        "Pass over an event that holds a follower up",
        Scope.MANAGE,
        "followers",
        (400, 413, 415),
        response_model=SkipReply,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": SkipRequest.model_json_schema(),
                        "example": {"follower": "alerts", "event_id": "01M84HX3CTDS9P8A5QKCMA1TVT"},
                    }
                },
            }
        },
    )
    async def skip_event(request: Request) -> SkipReply:
        """Have a follower go on behind an event at which it fails; what it would conclude is lost."""
        wanted = _read(await bodies.read(request))
        skipped = await run_in_threadpool(followers.skip, wanted.follower, wanted.event_id)
        return SkipReply(skipped=skipped)

    return operations


def _read(body: bytes) -> SkipRequest:
    try:
        return SkipRequest.model_validate(read_request(body))
    except ValidationError as error:
        errors = errors_in_body(error)
        raise InvalidInputError(
            'Send {"follower": "its name", "event_id": "the event that holds it up"}.', errors
        ) from error
