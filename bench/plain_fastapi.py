"""What most services are: FastAPI, a pydantic model, nothing stored. ``plain_fastapi.py PORT``."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI()


class Event(BaseModel):
    event_id: str
    event_type: str = "unknown"
    log_level: int = 20
    alert: bool = False
    event_timestamp: datetime
    source: dict[str, str | None] = Field(default_factory=dict)
    event_data: Any = Field(default_factory=dict)
    trace_id: str | None = None
    span_id: str | None = None
    archived: bool = False
    archived_at: datetime | None = None


@app.post("/event")
async def post_event(event: Event) -> Event:
    return event


@app.get("/health")
async def get_health() -> dict[str, bool]:
    return {"healthy": True}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
