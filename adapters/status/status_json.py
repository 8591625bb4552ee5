"""A status as JSON, with the member names that ToolHive's registry server uses."""

import json
from datetime import datetime
from typing import Any

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from domain.ports.status import SourceStatus

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
"""What reading text raises that no release wrote."""

_RENAMED = {
    "last_attempt": "lastAttempt",
    "attempt_count": "attemptCount",
    "last_sync_time": "lastSyncTime",
    "last_sync_hash": "lastSyncHash",
    "last_applied_filter_hash": "lastAppliedFilterHash",
    "server_count": "serverCount",
}


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    renames: Any = {name: override(rename=renamed) for name, renamed in _RENAMED.items()}
    converter.register_unstructure_hook(
        SourceStatus, make_dict_unstructure_fn(SourceStatus, converter, **renames)
    )
    converter.register_structure_hook(
        SourceStatus, make_dict_structure_fn(SourceStatus, converter, **renames)
    )
    return converter


_converter = _make_converter()


def status_members(status: SourceStatus) -> dict[str, Any]:
    """The members of a status, as JSON values."""
    members: dict[str, Any] = _converter.unstructure(status)
    return members


def status_of(members: dict[str, Any]) -> SourceStatus:
    """The inverse of `status_members`."""
    return _converter.structure(members, SourceStatus)


def dump_status(status: SourceStatus) -> str:
    """A status as JSON text."""
    return json.dumps(status_members(status))


def load_status(text: str) -> SourceStatus:
    """The inverse of `dump_status`."""
    return status_of(json.loads(text))
