"""What a registry was made of, from which position on."""

from collections.abc import Sequence

import attrs

from application.projections import DEFINITIONS
from application.registries import Registries
from application.registry_version import find_registry
from application.view_rows import LAST_KEY
from domain.asof import AtRecorded
from domain.composition import RegistryDefinition
from domain.definitions import Definitions
from domain.identifiers import ORIGIN, DocumentHash, Position
from domain.ports.storage import StoragePort


@attrs.frozen
class Era:
    """What a registry was made of since a position, None where there was no such registry.

    `redacted` is a document that was taken away there, where nothing else changed.
    """

    since: Position
    definition: RegistryDefinition | None
    redacted: DocumentHash | None = None


async def read_eras(
    storage: StoragePort, registries: Registries, registry: str | None, upto: Position
) -> Sequence[Era]:
    """The eras of the registry that has a name at a position, up to there.

    Raises:
        RegistryNotFoundError
    """
    rows = await storage.row_history(DEFINITIONS.view, start="", stop=LAST_KEY)
    known = [
        (row.since, DEFINITIONS.restore([(row.key, row.value)]))
        for row in rows
        if row.since <= upto
    ]
    name = find_registry(known[-1][1] if known else Definitions(), registry).name
    eras = [Era(ORIGIN, None)]
    for since, definitions in known:
        definition = definitions.registries.get(name)
        if definition != eras[-1].definition:
            eras.append(Era(since, definition))
    redactions = [
        Era(position, definition_at(eras, position), redacted)
        for position, redacted in await _redactions(storage, registries)
        if position <= upto
    ]
    return sorted([*eras, *redactions], key=lambda era: era.since)


def definition_at(eras: Sequence[Era], position: Position) -> RegistryDefinition | None:
    """What the registry was made of at a position."""
    return next(era.definition for era in reversed(eras) if era.since <= position)


async def _redactions(
    storage: StoragePort, registries: Registries
) -> Sequence[tuple[Position, DocumentHash]]:
    """Where each document was taken away."""
    found = [
        (await storage.commit_at(AtRecorded(redaction.recorded_at)), redaction.document_hash)
        for redaction in registries.live.redactions.values()
    ]
    return [(commit.last_position, redacted) for commit, redacted in found if commit]
