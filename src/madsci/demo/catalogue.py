"""What labs are made of: instruments, what they do and how long it takes, and names for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ActionKind:
    """Something that a node can do, and how many seconds it usually takes."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Instrument:
    """A kind of node by the name that labs give it, and what it can do."""

    name: str
    kinds: tuple[ActionKind, ...]


def _instrument(name: str, **seconds: float) -> Instrument:
    return Instrument(name, tuple(ActionKind(kind, length) for kind, length in seconds.items()))


BENCHES: Final = (
    (
        _instrument("pf400", transfer=34, pick_plate=19, place_plate=16),
        _instrument("ot2_alpha", run_protocol=390, distribute=145),
        _instrument("sealer", seal=27),
        _instrument("bmg", read_absorbance=95, read_fluorescence=260),
        _instrument("biometra", run_program=1_450),
        _instrument("camera", take_picture=4),
    ),
    (
        _instrument("ur5e", transfer=41, open_door=8, close_door=8),
        _instrument("ot2_beta", run_protocol=420, mix=80),
        _instrument("peeler", peel=31),
        _instrument("hidex", run_assay=310, shake=60),
        _instrument("solo", run_protocol=240),
        _instrument("liconic", load_stack=55, unload_stack=52),
    ),
)
"""Instruments that stand together. The first of each moves plates between the others."""

WORKCELLS: Final = ("bio_workcell", "color_workcell", "growth_workcell", "assay_workcell")

WORKFLOWS: Final = (
    "pcr_setup", "elisa_readout", "growth_curve", "color_mixing", "plate_copy", "dilution_series",
    "viability_screen", "library_prep",
)  # fmt: skip

USERS: Final = ("Ada Lovelace", "Rosalind Franklin", "Chien-Shiung Wu", "Gerty Cori", "Lise Meitner")

CAMPAIGNS: Final = ("enzyme_evolution", "perovskite_ink", "phage_panel")

REMARKS: Final = (
    "Heartbeat", "Temperature is stable", "Deck was checked", "Position was verified", "Door is closed",
    "Waiting for the next plate",
)  # fmt: skip
"""What nodes log now and then."""

FAULTS: Final = (
    "Gripper lost the plate", "Axis did not reach its position", "No tip was picked up",
    "Lid is stuck", "Serial connection timed out", "Plate was not found",
)  # fmt: skip
"""What nodes say when something is wrong with them."""
