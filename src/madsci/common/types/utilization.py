"""How much nodes and whole systems were used, in the shape that programs written for MADSci know.

This version's server makes no such reports; programs that make their own go on. Times are in seconds,
percentages from 0 to 100.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class NodeUtilizationData(BaseModel):
    """How a node spent its time. Further members are kept."""

    model_config = ConfigDict(extra="allow")

    node_id: str = Field(description="The node.")
    total_time: float = Field(default=0.0, description="Time looked at.")
    busy_time: float = Field(default=0.0, description="Time with at least one action running.")
    idle_time: float = Field(default=0.0, description="Time up without an action.")
    error_time: float = Field(default=0.0, description="Time with a fault.")
    inactive_time: float = Field(default=0.0, description="Time not up.")
    utilization_percentage: float = Field(default=0.0, description="Busy time of the time up.")
    current_state: str = Field(
        default="unknown", description="State at the end: `busy`, `idle`, `error`, `inactive`."
    )
    active_actions: set[str] = Field(
        default_factory=set, description="Actions that run at the end, by id."
    )


class SystemUtilizationData(BaseModel):
    """How a lab or workcell spent its time. Further members are kept."""

    model_config = ConfigDict(extra="allow")

    total_time: float = Field(default=0.0, description="Time looked at.")
    active_time: float = Field(default=0.0, description="Time with at least one experiment running.")
    idle_time: float = Field(default=0.0, description="Time without one.")
    utilization_percentage: float = Field(default=0.0, description="Active time of all time.")
    active_experiments: set[str] = Field(
        default_factory=set, description="Experiments that run at the end, by id."
    )
    active_workflows: set[str] = Field(
        default_factory=set, description="Workflows that run at the end, by id."
    )
