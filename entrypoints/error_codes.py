"""One table: what an error is to a client over HTTP, and to a shell."""

from collections.abc import Mapping

import attrs

from domain import errors


@attrs.frozen
class ErrorCode:
    """An HTTP status and an exit code."""

    http_status: int
    exit_code: int


FAILED, USAGE = 1, 2
DIFFERENCES, TROUBLE = 1, 2
"""What `registry diff --exit-code` ends with in place of these, as diff(1) does."""

ERROR_CODES: Mapping[type[errors.AnnalsError], ErrorCode] = {
    errors.MalformedQueryError: ErrorCode(400, USAGE),
    errors.InvalidQueryError: ErrorCode(422, USAGE),
    errors.BodyTooLargeError: ErrorCode(413, USAGE),
    errors.InvalidInputError: ErrorCode(400, USAGE),
    errors.PinNotFoundError: ErrorCode(404, USAGE),
    errors.NotFoundError: ErrorCode(404, FAILED),
    errors.DocumentRedactedError: ErrorCode(410, FAILED),
    errors.NotSupportedError: ErrorCode(501, FAILED),
    errors.SourceError: ErrorCode(502, FAILED),
    errors.WitnessError: ErrorCode(502, FAILED),
    errors.DeliveryError: ErrorCode(502, FAILED),
    errors.RemoteLogError: ErrorCode(502, FAILED),
    errors.SyncedElsewhereError: ErrorCode(503, FAILED),
    errors.CannotListenError: ErrorCode(500, FAILED),
    errors.PinExistsError: ErrorCode(409, FAILED),
    errors.RemovalRefusedError: ErrorCode(409, FAILED),
    errors.WrongExpectedVersionError: ErrorCode(409, FAILED),
    errors.CommitIdReusedError: ErrorCode(409, FAILED),
    errors.StorageError: ErrorCode(503, FAILED),
    errors.CorruptLogError: ErrorCode(500, FAILED),
    errors.AnnalsError: ErrorCode(500, FAILED),
}
"""Looked up by the class of an error, then by its bases."""


def code_of(error: errors.AnnalsError) -> ErrorCode:
    """The code of an error's nearest class."""
    return next(ERROR_CODES[cls] for cls in type(error).__mro__ if cls in ERROR_CODES)
