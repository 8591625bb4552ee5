"""What operators ask about sources, with the member names of ToolHive's registry server."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

import attrs
from starlette.requests import Request

from application.configuration import ConfigurationReport
from application.projections.sync_runs import SyncRuns
from application.source_overview import SourceOverview, outcome_members
from application.sync import SyncedSource, SyncOutcome
from domain.errors import SourceNotFoundError
from domain.events import SyncFailed, SyncStage
from domain.filters import Filter
from domain.ports.status import SourceStatus
from domain.timestamps import to_rfc_3339
from entrypoints.http.answer import Answer
from entrypoints.http.answers import json_answer
from entrypoints.http.endpoint import Endpoint
from entrypoints.http.errors import problem
from entrypoints.http.local import strangeness
from entrypoints.http.services import Services

GROUP = "sources"
BASES = ("/v1",)


async def list_sources(services: Services, _request: Request) -> Answer:
    listed = [_source(overview) for overview in await services.overviews()]
    configuration = _configuration(services.configuration())
    return json_answer({"sources": listed, "configuration": configuration})


async def get_source(services: Services, request: Request) -> Answer:
    name = request.path_params["sourceName"]
    overviews = {overview.name: overview for overview in await services.overviews()}
    if name not in overviews:
        known = ", ".join(overviews) or "none"
        raise SourceNotFoundError(f"no source {name!r} is configured: there is {known}")
    return json_answer(_source(overviews[name]))


async def sync_source(services: Services, request: Request) -> Answer:
    name = request.path_params["sourceName"]
    if reason := strangeness(request):
        return problem(
            403,
            "a sync can only be asked for on this registry's own machine, and this request is "
            f"refused because {reason}: run `registry sync {name}` there",
        )
    outcome = await services.sync_now(name)
    return _failure(outcome.failed) if outcome.failed else _success(outcome)


def _success(outcome: SyncOutcome) -> Answer:
    return json_answer(outcome_members(outcome))


def _failure(failed: SyncFailed) -> Answer:
    status = 409 if failed.stage is SyncStage.GUARD else 502
    return problem(status, failed.reason, stage=failed.stage.value)


def _configuration(report: ConfigurationReport) -> dict[str, Any]:
    return _known(file=report.file, loadedAt=to_rfc_3339(report.loaded_at), problem=report.problem)


def _source(overview: SourceOverview) -> dict[str, Any]:
    definition, runs = overview.definition, overview.runs
    return {
        "name": overview.name,
        "type": definition.type,
        "sourceType": definition.type,
        "format": definition.format,
        "location": definition.location,
        "creationType": "CONFIG",
        **(_settings(overview.synced) if overview.synced else {}),
        **_known(
            nextRun=_time(overview.next_run),
            syncStatus=_status(overview.status) if overview.status else None,
            lastSync=_last_sync(runs),
            lastFailure=_last_failure(runs.failed) if runs.failed else None,
        ),
        "rejected": [attrs.asdict(rejected) for rejected in overview.rejected],
    }


def _settings(source: SyncedSource) -> dict[str, Any]:
    return {
        "syncSchedule": f"{source.interval_seconds:g}s",
        "filterConfig": _filter(source.filter),
        "guards": {
            "allowEmpty": source.guards.allow_empty,
            "maxRemoval": source.guards.max_removal,
        },
    }


def _filter(filter_: Filter) -> dict[str, Any]:
    return {
        "names": {
            "include": [pattern.text for pattern in filter_.include_names],
            "exclude": [pattern.text for pattern in filter_.exclude_names],
        },
        "tags": {"include": filter_.include_tags, "exclude": filter_.exclude_tags},
    }


def _status(status: SourceStatus) -> dict[str, Any]:
    return {
        "phase": status.phase.value,
        "message": status.message,
        "attemptCount": status.attempt_count,
        "serverCount": status.server_count,
        **_known(lastAttempt=_time(status.last_attempt), lastSyncTime=_time(status.last_sync_time)),
    }


def _last_sync(runs: SyncRuns) -> dict[str, Any] | None:
    if (completed := runs.completed) is None:
        return None
    counts = attrs.asdict(completed.counts)
    return {
        "revision": completed.revision,
        "unread": completed.unread,
        "counts": {"statusChanged": counts.pop("status_changed"), **counts},
        "notes": completed.notes,
        **_known(completedAt=_time(runs.completed_at)),
    }


def _last_failure(failed: SyncFailed) -> Mapping[str, str]:
    return {"stage": failed.stage.value, "reason": failed.reason}


def _time(instant: datetime | None) -> str | None:
    return to_rfc_3339(instant) if instant else None


def _known(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


_endpoint = partial(Endpoint, bases=BASES, group=GROUP)

ENDPOINTS = (
    _endpoint(
        path="/sources",
        handler=list_sources,
        summary="Every source: what it is, how its syncs go, and when the next one is due.",
        answer="SourceList",
        errors=(503,),
    ),
    _endpoint(
        path="/sources/{sourceName}",
        handler=get_source,
        summary="One source.",
        answer="Source",
        errors=(404, 503),
    ),
    _endpoint(
        method="POST",
        path="/sources/{sourceName}/sync",
        handler=sync_source,
        summary="Syncs a source and waits for the outcome; only from the machine itself.",
        answer="SyncOutcome",
        errors=(403, 404, 409, 502, 503),
    ),
)
