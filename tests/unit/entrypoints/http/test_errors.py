"""Errors of Annals as answers."""

import json

import pytest

from domain import errors
from entrypoints.http.errors import problem_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidCursorError("m"), 400),
        (errors.MalformedQueryError("since", "x", "m"), 400),
        (errors.InvalidQueryError("limit", "x", "m"), 422),
        (errors.BodyTooLargeError("m"), 413),
        (errors.ServerNotFoundError("m"), 404),
        (errors.RegistryNotFoundError("m"), 404),
        (errors.NotSupportedError("m"), 501),
        (errors.SourceUnreachableError("m"), 502),
    ],
)
def test_what_a_client_can_do_something_about_is_told(error: Exception, status: int):
    """The message of the error is the detail."""
    answer = problem_of(error)

    assert answer.status == status
    assert json.loads(answer.body)["detail"] == "m"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.StorageUnavailableError("m"), 503),
        (errors.CorruptLogError("m"), 500),
        (ValueError("m"), 500),
    ],
)
def test_what_only_operators_can_mend_is_not(error: Exception, status: int):
    """The message goes to the log."""
    answer = problem_of(error)

    assert answer.status == status
    assert json.loads(answer.body)["detail"] != "m"


def test_an_error_of_a_parameter_says_which_and_what():
    """`errors` locates it."""
    answer = problem_of(errors.InvalidQueryError("limit", "x", "limit: expected a number"))

    assert json.loads(answer.body)["errors"] == [
        {"location": "query.limit", "message": "limit: expected a number", "value": "x"}
    ]
