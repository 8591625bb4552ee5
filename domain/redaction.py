"""What stands in the place of a document that was taken away."""

from datetime import datetime

import attrs

from domain.identifiers import DocumentHash


@attrs.frozen(kw_only=True)
class Redaction:
    """Why a document has no body any longer, who said so, and when that was recorded."""

    document_hash: DocumentHash
    reason: str
    redacted_by: str
    recorded_at: datetime
