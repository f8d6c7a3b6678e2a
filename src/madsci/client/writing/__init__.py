"""What a log call meets: from its arguments to the bytes of an event, and from there to the outputs.

This is the room's door: others use what is named here.
"""

from madsci.client.writing.arguments import LOG_TYPES, find_event, message_text
from madsci.client.writing.console import has_colors
from madsci.client.writing.entries import read_entry, take_level_name, take_moment
from madsci.client.writing.log_calls import DEBUG, LogCalls
from madsci.client.writing.log_names import PACKED, backups, log_file_path
from madsci.client.writing.outputs import Outputs, divert, end_diversion, spool_directory
from madsci.client.writing.record import EventOrigin, make_record
from madsci.client.writing.redaction import shared_redaction

__all__ = [
    "DEBUG",
    "LOG_TYPES",
    "PACKED",
    "EventOrigin",
    "LogCalls",
    "Outputs",
    "backups",
    "divert",
    "end_diversion",
    "find_event",
    "has_colors",
    "log_file_path",
    "make_record",
    "message_text",
    "read_entry",
    "shared_redaction",
    "spool_directory",
    "take_level_name",
    "take_moment",
]
