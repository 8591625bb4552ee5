"""What is folded from the log to answer from. A new projection is one file here and one line in
PROJECTIONS; CATALOGS alone is too large to be held in memory."""

from application.projections.catalogs import CatalogsProjection
from application.projections.definitions import DefinitionsProjection
from application.projections.pins import PinsProjection
from application.projections.projection import Projection
from application.projections.redactions import RedactionsProjection
from application.projections.sync_runs import SyncRunsProjection

CATALOGS = CatalogsProjection()
DEFINITIONS = DefinitionsProjection()
SYNC_RUNS = SyncRunsProjection()
PINS = PinsProjection()
REDACTIONS = RedactionsProjection()

PROJECTIONS: tuple[Projection[object], ...] = (  # type: ignore[assignment]  # each knows its own state
    DEFINITIONS,
    SYNC_RUNS,
    PINS,
    REDACTIONS,
)
