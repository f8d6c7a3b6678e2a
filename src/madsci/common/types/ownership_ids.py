"""The ids that say who an event belongs to: their names, and any value as an id.

Apart from ``ownership``, whose model needs a library that takes as long to load as everything else
that a process for questions needs.
"""

from __future__ import annotations

import json
from typing import Any, Final

OWNERSHIP_IDS: Final = (
    "user_id",
    "experiment_id",
    "campaign_id",
    "project_id",
    "node_id",
    "workcell_id",
    "lab_id",
    "step_id",
    "workflow_id",
    "manager_id",
)
"""In the order in which they are members of ``OwnershipInfo``."""


def id_text(value: Any) -> str | None:
    """Return an id as text: text as it is, ``None`` as ``None``, anything else as its JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
