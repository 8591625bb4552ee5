"""URLs in a server.json: which hosts are public, and what variables may stand for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.json_checks import Issue, Place
from domain.server_json_urls import UrlFlaw, https_url, package_url, remote_url

LOCAL_HOSTS = [
    *("localhost", "LOCALHOST", "localhost.", "api.localhost", "api.localhost.", "printer.local"),
    *("mcp.corp.internal", "nas.home.arpa", "intranet", "user@localhost", "example.com@localhost"),
    *("127.0.0.1", "127.255.0.1", "127.0.0.1.", "0.0.0.0", "255.255.255.255", "240.0.0.1"),
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "100.127.255.255", "224.0.0.1", "239.255.255.255"),
    *("127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "1.2.3.0x4"),
    *("[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd12::1]", "[ff02::1]", "[ff0e::1]"),
    *("[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:7f00:1]", "[fe80::1%25eth0]"),
    *("{region}.localhost", "{region}.local", "{region}.127.1"),
]
PUBLIC_HOSTS = [
    *("example.com", "EXAMPLE.com", "example.com.", "a-b.c_d.example.com", "xn--mller-kva.example"),
    *("example.com:8443", "user@example.com", "localhost.example.com", "local.dev"),
    *("172.32.0.1", "100.128.0.1", "8.8.8.8", "8.8.8.8:443", "[2606:4700::1111]:8443"),
    *("[::ffff:8.8.8.8]", "1e100.net", "0x7f.example.com"),
    *("{region}", "{region}:{region}", "{region}.{region}", "api-{region}.example.com"),
]
MALFORMED_HOSTS = [
    *("", ":443", "exa mple.com", "exam\tple.com", "example..com", ".example.com", "exämple.com"),
    *("１２７.0.0.1", "127.0.0.1\\@example.com", "example.com:99999", "example.com:port"),
    *("[::1", "[v1.x]", "[example.com]", "{}", "{region", "region}", "{{region}}", "{a b}"),
    *("example.com/<path>", 'example.com/"', "example.com/\x00", "example.com/^"),
]


def url_in(*owners: dict[str, Any]) -> Place:
    """The place of a URL inside one or two objects, the nearest first."""
    nearest, *others = owners
    return Place("url", Place("", None, *others), nearest)


def remote(url: str) -> list[str]:
    return found(remote_url(url, url_in({"variables": {"region": {}}})))


def package(url: str, inputs: dict[str, Any], kind: str = "streamable-http") -> list[str]:
    return found(package_url(url, url_in({"type": kind}, inputs)))


def found(issues: Any) -> list[str]:
    return [issue.reference for issue in issues]


@pytest.mark.parametrize("host", [*LOCAL_HOSTS, *MALFORMED_HOSTS], ids=ascii)
def test_a_remote_is_refused_where_not_everyone_can_reach_it(host: str) -> None:
    """Local names, addresses that are not routed in any spelling, and no hosts at all."""
    assert "invalid-remote-url" in remote(f"https://{host}/mcp")


@pytest.mark.parametrize("host", PUBLIC_HOSTS)
def test_a_remote_has_a_public_host(host: str) -> None:
    """Names, routed addresses, and variables that may stand for either."""
    assert remote(f"https://{host}/mcp") == []


@pytest.mark.parametrize("scheme", ["http", "HTTPS", "wss", "{region}"])
def test_a_remote_is_https(scheme: str) -> None:
    """Written as the official JSON schema wants it: in lower case."""
    assert remote(f"{scheme}://example.com/mcp") == ["invalid-remote-url"]


def test_each_undeclared_variable_is_told_once() -> None:
    """A remote's variables are those that it declares itself."""
    issues = list(remote_url("https://{a}/{b}/{a}/{region}", url_in({"variables": []})))
    assert [(issue.reference, issue.message) for issue in issues] == [
        ("invalid-templated-url", "expected a declared variable, found 'a'"),
        ("invalid-templated-url", "expected a declared variable, found 'b'"),
        ("invalid-templated-url", "expected a declared variable, found 'region'"),
    ]


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost", "http://127.0.0.1:8080/mcp", "https://intranet/", "http://[::1]:80/"),
        *("http://{HOST}:{--port}/{path}", "{HOST}", "{HOST}:{--port}/mcp", "http://{HOST}{path}"),
    ],
)
def test_a_package_may_listen_locally(url: str) -> None:
    """Any host is fine, and any variable that names an input of the package."""
    inputs = {
        "environmentVariables": [{"name": "HOST"}],
        "runtimeArguments": [{"type": "named", "name": "--port"}],
        "packageArguments": [{"type": "positional", "valueHint": "path"}],
    }
    assert package(url, inputs) == []
    assert package(url, {}) == ["invalid-templated-url"] * url.count("{")


@pytest.mark.parametrize("inputs", [None, 3, "HOST", {"HOST": {}}, [None, ["HOST"], {"name": 3}]])
def test_inputs_of_a_wrong_shape_declare_nothing(inputs: object) -> None:
    """What is no list of objects with names is told elsewhere, and harmless here."""
    members = ("environmentVariables", "runtimeArguments", "packageArguments")
    assert package("http://{HOST}/", dict.fromkeys(members, inputs)) == ["invalid-templated-url"]


@pytest.mark.parametrize("kind", ["websocket", None, ["sse"]])
def test_the_url_of_an_unknown_transport_is_not_judged(kind: Any) -> None:
    """Its type is the problem, told where the type is."""
    assert package("no url", {}, kind) == []


REFERENCES = {flaw: flaw.name for flaw in UrlFlaw}


@pytest.mark.parametrize(
    ("url", "references"),
    [
        ("https://example.com/a?b=c#d", []),
        ("HTTPS://localhost", []),
        ("example.com", ["RELATIVE"]),
        ("#fragment", ["RELATIVE"]),
        ("mailto:someone@example.com", ["SCHEME"]),
        ("localhost:8080", ["SCHEME"]),
        ("https:example.com", ["MALFORMED"]),
        ("https:///path", ["MALFORMED"]),
    ],
)
def test_each_flaw_of_a_url_has_its_reference(url: str, references: list[str]) -> None:
    """The caller says what a flaw is called where the URL stands."""
    assert found(https_url(REFERENCES)(url, Place())) == references


@given(text=st.text() | st.text("https:/{}[].%@0x1a\\ "), variables=st.booleans())
def test_any_text_is_answered(text: str, variables: bool) -> None:
    """Text that no URL parser takes is an issue, not an error."""
    for check in (https_url(REFERENCES), remote_url, package_url):
        for prefix in ("", "https://", "https://["):
            owners: tuple[dict[str, Any], ...] = (
                {"type": "sse", "variables": {}} if variables else {"type": "sse"},
                {},
            )
            assert all(isinstance(i, Issue) for i in check(prefix + text, url_in(*owners)))
