"""Who an event belongs to: the ids of the people and parts of a lab."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer
from pydantic import field_validator as _field_validator

from madsci.common.types.ownership_ids import id_text


class OwnershipInfo(BaseModel):
    """Ids of the user, experiment, node and so on behind an event.

    Ids are free text: a lab's own names are as good as ULIDs. Members that are not listed here are
    kept; members without a value do not appear when serialised.
    """

    model_config = ConfigDict(extra="allow")

    user_id: str | None = None
    experiment_id: str | None = None
    campaign_id: str | None = None
    project_id: str | None = None
    node_id: str | None = None
    workcell_id: str | None = None
    lab_id: str | None = None
    step_id: str | None = None
    workflow_id: str | None = None
    manager_id: str | None = None

    @_field_validator("*", mode="before")
    @classmethod
    def _id_as_text(cls, value: Any) -> Any:
        return id_text(value)

    @model_serializer(mode="wrap")
    def _without_nulls(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}
