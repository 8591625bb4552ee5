"""JSON schemas of answers (draft 2020-12, as OpenAPI 3.1 has it)."""

from collections.abc import Mapping
from typing import Any

from domain.change import ChangeClass
from domain.comparison import Outcome
from domain.entry import OFFICIAL_META, REDACTED_META, Status
from domain.events import SyncStage
from domain.identifiers import EntryKind
from domain.ports.status import SyncPhase
from domain.server_json import CURRENT_SCHEMA, Severity

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time"}
_BOOLEAN: Schema = {"type": "boolean"}
_ANY_OBJECT: Schema = {"type": "object"}
_TEXTS: Schema = {"type": "array", "items": {}}


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these members and no others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def _array_of(name: str) -> Schema:
    return {"type": "array", "items": reference("schemas", name)}


def _constant(**members: Any) -> Schema:
    return _object({name: {"const": value} for name, value in members.items()})


def reference(part: str, name: str) -> Schema:
    """A component of the document by its name."""
    return {"$ref": f"#/components/{part}/{name}"}


_STAGE: Schema = {"enum": [stage.value for stage in SyncStage]}
_STRINGS: Schema = {"type": "array", "items": _TEXT}
_INCLUDED_AND_EXCLUDED = _object({"include": _STRINGS, "exclude": _STRINGS})
_PLAIN_COUNTS = ("listed", "revised", "delisted", "unchanged", "rejected", "warned")
_COUNTS = dict.fromkeys(_PLAIN_COUNTS, _COUNT)
_HEAD = dict.fromkeys(("name", "description", "tier", "status", "transport"), _TEXT)

_CLASSES: Schema = {"type": "array", "items": {"enum": [c.value for c in ChangeClass]}}
_OUTCOME: Schema = {"enum": [outcome.value for outcome in Outcome]}
_SIDE: Schema = {
    "anyOf": [
        _object({"source": _TEXT, "documentHash": _TEXT, "status": _TEXT, "isLatest": _BOOLEAN}),
        {"type": "null"},
    ]
}
_CHANGED_VERSION = {
    "version": _TEXT,
    "change": _OUTCOME,
    "classes": _CLASSES,
    "versionReused": _BOOLEAN,
    "comparedTo": {"type": ["string", "null"]},
    "before": _SIDE,
    "after": _SIDE,
    "redacted": _BOOLEAN,
    "differences": {"type": "array", "items": reference("schemas", "Difference")},
}
_CHANGED_SERVER = {
    "kind": {"enum": [kind.value for kind in EntryKind]},
    "name": _TEXT,
    "change": _OUTCOME,
    "classes": _CLASSES,
    "versionReused": _BOOLEAN,
    "versions": {
        "type": "array",
        "items": _object(_CHANGED_VERSION, {"entry": {"type": ["object", "null"]}}),
    },
}
_DIFF_SIDE = _object(
    {
        "registry": _TEXT,
        "position": _COUNT,
        "recordedAt": _TIME,
        "effectiveAt": {"type": ["string", "null"]},
    }
)

SCHEMAS: Mapping[str, Schema] = {
    "Difference": _object(
        {
            "op": {"enum": ["add", "remove", "replace", "move"]},
            "path": _TEXT,
            "class": _CLASSES["items"],
        },
        {"from": _TEXT, "old": {}, "new": {}},
    ),
    "Change": _object(
        {"id": _TEXT, "position": _COUNT, "recordedAt": _TIME, "effectiveAt": _TIME}
        | _CHANGED_SERVER
    ),
    "ChangeList": _object(
        {
            "changes": _array_of("Change"),
            "metadata": _object(
                {"count": _COUNT, "next": _TEXT, "isLast": _BOOLEAN, "position": _COUNT}
            ),
        }
    ),
    "Diff": _object(
        {
            "changes": {"type": "array", "items": _object(_CHANGED_SERVER)},
            "metadata": _object(
                {
                    "count": _COUNT,
                    "next": {"type": ["string", "null"]},
                    "from": _DIFF_SIDE,
                    "to": _DIFF_SIDE,
                }
            ),
        }
    ),
    "Anything": {"description": "Any JSON; what is not a server.json is judged like what is."},
    "ServerJson": {
        "type": "object",
        "description": f"A server.json as its source has it. A flawless one is of {CURRENT_SCHEMA}",
        "required": ["name", "description", "version"],
        "properties": {"name": _TEXT, "description": _TEXT, "version": _TEXT, "title": _TEXT},
    },
    "Official": _object(
        {
            "status": {"enum": [status.value for status in Status]},
            "statusChangedAt": _TIME,
            "publishedAt": _TIME,
            "updatedAt": _TIME,
            "isLatest": _BOOLEAN,
        },
        {"statusMessage": _TEXT},
    ),
    "Redaction": _object({"reason": _TEXT, "by": _TEXT, "at": _TIME, "documentHash": _TEXT}),
    "ServerResponse": _object(
        {
            "server": reference("schemas", "ServerJson"),
            "_meta": _object(
                {OFFICIAL_META: reference("schemas", "Official")},
                {REDACTED_META: reference("schemas", "Redaction")},
            ),
        }
    ),
    "ServerList": _object(
        {
            "servers": _array_of("ServerResponse"),
            "metadata": _object({"count": _COUNT}, {"nextCursor": _TEXT}),
        }
    ),
    "Issue": _object(
        {
            "type": {"enum": ["json", "schema", "semantic"]},
            "path": _TEXT,
            "message": _TEXT,
            "severity": {"enum": [severity.value for severity in Severity]},
            "reference": _TEXT,
        }
    ),
    "Validation": _object({"valid": _BOOLEAN, "issues": _array_of("Issue")}),
    "OfficialHealth": _constant(status="ok"),
    "Pong": _constant(pong=True),
    "OfficialVersion": _object(dict.fromkeys(("version", "git_commit", "build_time"), _TEXT)),
    "ToolhiveInfo": _object(
        {"version": _TEXT, "last_updated": _TIME, "source": _TEXT, "total_servers": _COUNT}
    ),
    "ToolhiveSummary": _object({**_HEAD, "tools_count": _COUNT}),
    "ToolhiveList": _object(
        {
            "servers": {
                "type": "array",
                "items": {
                    "anyOf": [
                        reference("schemas", "ToolhiveSummary"),
                        reference("schemas", "ServerJson"),
                    ]
                },
            },
            "total": _COUNT,
        }
    ),
    "EnvironmentVariable": _object(
        {"name": _TEXT, "description": _TEXT, "required": _BOOLEAN},
        {"default": _TEXT, "secret": _BOOLEAN},
    ),
    "ToolhiveDetail": _object(
        {**_HEAD, "tools": _TEXTS},
        {
            "env_vars": _array_of("EnvironmentVariable"),
            "permissions": _object({"profile": _ANY_OBJECT}),
            "metadata": _ANY_OBJECT,
            "repository_url": _TEXT,
            "tags": _TEXTS,
            "args": _TEXTS,
            "volumes": _ANY_OBJECT,
            "image": _TEXT,
        },
    ),
    "ToolhiveServer": {
        "anyOf": [reference("schemas", "ToolhiveDetail"), reference("schemas", "ServerJson")]
    },
    "Deployed": {
        "type": "array",
        "items": _object(
            {
                **dict.fromkeys(
                    ("name", "namespace", "status", "image", "transport", "endpoint_url"), _TEXT
                ),
                "ready": _BOOLEAN,
            }
        ),
    },
    "RejectedEntry": _object(dict.fromkeys(("name", "reason", "path"), _TEXT)),
    "Source": _object(
        {
            **dict.fromkeys(("name", "type", "sourceType", "format", "location"), _TEXT),
            "creationType": {"const": "CONFIG"},
            "rejected": _array_of("RejectedEntry"),
        },
        {
            "syncSchedule": _TEXT,
            "filterConfig": _object(
                {"names": _INCLUDED_AND_EXCLUDED, "tags": _INCLUDED_AND_EXCLUDED}
            ),
            "guards": _object({"allowEmpty": _BOOLEAN, "maxRemoval": {"type": "number"}}),
            "nextRun": _TIME,
            "syncStatus": _object(
                {
                    "phase": {"enum": [phase.value for phase in SyncPhase]},
                    "message": _TEXT,
                    "attemptCount": _COUNT,
                    "serverCount": _COUNT,
                },
                {"lastAttempt": _TIME, "lastSyncTime": _TIME},
            ),
            "lastSync": _object(
                {
                    "revision": _TEXT,
                    "unread": _BOOLEAN,
                    "counts": _object({"statusChanged": _COUNT, **_COUNTS}),
                    "notes": _STRINGS,
                },
                {"completedAt": _TIME},
            ),
            "lastFailure": _object({"stage": _STAGE, "reason": _TEXT}),
        },
    ),
    "SourceList": _object(
        {
            "sources": _array_of("Source"),
            "configuration": _object({"loadedAt": _TIME}, {"file": _TEXT, "problem": _TEXT}),
        }
    ),
    "SyncOutcome": _object(
        {
            "source": _TEXT,
            "position": _COUNT,
            "failed": {"const": False},
            "warnings": _array_of("RejectedEntry"),
            **dict.fromkeys(("revision", "filter_hash", "settings_hash"), _TEXT),
            "unread": _BOOLEAN,
            "counts": _object({**_COUNTS, "status_changed": _COUNT}),
            "rejected": _array_of("RejectedEntry"),
            "notes": _STRINGS,
        }
    ),
    "Registry": _object(
        {
            "name": _TEXT,
            "creationType": {"const": "CONFIG"},
            "sources": _STRINGS,
            "default": _BOOLEAN,
            "serverCount": _COUNT,
            "versionCount": _COUNT,
            "position": _COUNT,
            "definedAt": _TIME,
            "updatedAt": _TIME,
        }
    ),
    "RegistryList": _object({"registries": _array_of("Registry")}),
    "PinList": _object(
        {
            "pins": {
                "type": "array",
                "items": _object(
                    {"name": _TEXT, "position": _COUNT, "recordedAt": _TIME},
                    {"effectiveAt": _TIME},
                ),
            }
        }
    ),
    "WebhookList": _object(
        {
            "webhooks": {
                "type": "array",
                "items": _object(
                    {
                        "name": _TEXT,
                        "receiver": _TEXT,
                        "classes": _CLASSES,
                        "entries": _BOOLEAN,
                        "registries": {
                            "type": "array",
                            "items": _object(
                                {"name": _TEXT, "deliveredUpTo": {"type": ["string", "null"]}}
                            ),
                        },
                        "phase": {"enum": ["Active", "Failing", "Gone", "Elsewhere"]},
                        "attemptCount": _COUNT,
                    },
                    {"lastDelivery": _TIME, "lastError": _TEXT, "nextAttempt": _TIME},
                ),
            }
        }
    ),
    "Text": _TEXT,
    "Cosigned": _object({"checkpoint": _TEXT, "witnesses": _STRINGS}),
    "Proof": _object(
        {
            "document": {"anyOf": [reference("schemas", "ServerJson"), {"type": "null"}]},
            "documentHash": _TEXT,
            "event": _object({"type": _TEXT, "schemaVersion": _COUNT, "data": _ANY_OBJECT}),
            "leaf": _ANY_OBJECT,
            "position": _COUNT,
            "proof": _STRINGS,
            "checkpoint": _TEXT,
        },
        {"redaction": reference("schemas", "Redaction")},
    ),
    "Health": _constant(status="healthy"),
    "Readiness": _constant(status="ready"),
    "Version": _object(
        dict.fromkeys(("version", "commit", "build_date", "python_version", "platform"), _TEXT)
    ),
    "Problem": _object(
        {
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "errors": {
                "type": "array",
                "items": _object({"location": _TEXT, "message": _TEXT}, {"value": {}}),
            },
            "error": _TEXT,
        },
        {"stage": _STAGE},
    ),
}
"""By the names that endpoints give for their answers."""
