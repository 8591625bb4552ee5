"""What can be configured of HTTP, and what is refused before anybody is asked."""

from typing import Any

import pytest

from adapters.sources.http_access import HttpAccess, check_url, shown


@pytest.mark.parametrize(
    "url",
    [
        "https://a.test",
        "http://127.0.0.1:8080/b/c.json?d=e&f",
        "https://[::1]:1/",
        "HTTPS://a.test/%C3%A9",
        "https://a.test/b@c",
    ],
)
def test_url(url: str) -> None:
    """What can be asked is taken."""
    check_url(None, None, url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.test/hunter2",
        "/hunter2",
        "ftp://a.test/hunter2",
        "file:///hunter2",
        "https://",
        "https:///hunter2",
        "https://:80/hunter2",
        "https://a.test:99999/hunter2",
        "https://a.test:b/hunter2",
        "https://[::1/hunter2",
        "https://a.test/hunter2 b",
        "https://a.test/hunter2\n",
        "https://a.test/hunter2\0",
        "https://a.test/hunter2é",
        "https://a.test\\@b.test/hunter2",
    ],
)
def test_no_url(url: str) -> None:
    """What cannot is refused without being repeated."""
    with pytest.raises(ValueError, match="expected an address that starts with https") as caught:
        check_url(None, None, url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@a.test/", "https://hunter2@a.test/", "https://a.test/#hunter2"]
)
def test_url_with_secret(url: str) -> None:
    """Credentials do not stand in a configuration, and a fragment is for nobody."""
    with pytest.raises(ValueError, match="without user name, password and fragment") as caught:
        check_url(None, None, url)
    assert "bearerTokenFile" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_headers() -> None:
    """Headers are taken as they are, and are no part of what is printed."""
    headers = {"X-Team": "a b", "x_y~1": "!"}
    access = HttpAccess(headers=headers)
    assert access.headers == headers
    assert "a b" not in repr(access)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"": "a"}, "expected names of headers such as X-Team, without colon or space"),
        ({"X: hunter2": "a"}, "expected names of headers such as X-Team, without colon or space"),
        ({"X-Té": "a"}, "expected names of headers such as X-Team, without colon or space"),
        ({"X": ""}, "expected visible ASCII characters in X, with spaces only between them"),
        ({"X": " hunter2"}, "expected visible ASCII characters in X, with spaces only"),
        ({"X": "hunter2\n"}, "expected visible ASCII characters in X, with spaces only"),
        ({"X": "hunter2\r\nY: b"}, "expected visible ASCII characters in X, with spaces only"),
        ({"X": "hunter2é"}, "expected visible ASCII characters in X, with spaces only"),
        ({"authorization": "Bearer hunter2"}, "authorization is a secret: put the token into a"),
        ({"Host": "hunter2"}, "Host is set by Annals itself: remove it"),
        ({"X": "hunter2", "x": "b"}, "expected each header once: upper and lower case are the"),
    ],
)
def test_no_headers(headers: dict[str, str], message: str) -> None:
    """What cannot be sent, or is set by other means, is refused without its value."""
    with pytest.raises(ValueError) as caught:
        HttpAccess(headers=headers)
    assert str(caught.value).startswith(message)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("seconds", [0, -1.5])
def test_no_timeout(seconds: float) -> None:
    """An answer takes some time."""
    with pytest.raises(ValueError, match="expected a duration above 0s"):
        HttpAccess(timeout_seconds=seconds)


def test_defaults_are_equal() -> None:
    """Two that say nothing are the same, whatever mapping is empty."""
    empty: Any = {}
    assert HttpAccess() == HttpAccess(headers=empty)


def test_shown() -> None:
    """People see where it is, and nothing that opens it."""
    assert shown("https://me:s3cret@a.test:1/b%20c?d=s3cret#s3cret") == "https://a.test:1/b%20c"
