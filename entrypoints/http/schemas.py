"""JSON schemas of answers (draft 2020-12, as OpenAPI 3.1 has it)."""

from collections.abc import Mapping
from typing import Any

from domain.entry import OFFICIAL_META, Status
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


_HEAD = dict.fromkeys(("name", "description", "tier", "status", "transport"), _TEXT)

SCHEMAS: Mapping[str, Schema] = {
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
    "ServerResponse": _object(
        {
            "server": reference("schemas", "ServerJson"),
            "_meta": _object({OFFICIAL_META: reference("schemas", "Official")}),
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
        }
    ),
}
"""By the names that endpoints give for their answers."""
