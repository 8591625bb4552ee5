"""What a Kubernetes API server was asked, and what it means that it did not answer well."""

import json
from collections.abc import Mapping, Sequence

import attrs

from domain.errors import (
    SourceAccessError,
    SourceContentError,
    SourceError,
    SourceUnreachableError,
)


@attrs.frozen(kw_only=True)
class Asked:
    """A request in Kubernetes' own words.

    `verb` is the one of RBAC, such as get, list or watch. Without `namespace` all of them are
    meant, without `name` all objects. The core group is "". `needed_verbs` are all that the
    account needs there.
    """

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    group: str = ""
    version: str = "v1"
    needed_verbs: Sequence[str] = attrs.field()

    @needed_verbs.default
    def _only_verb(self) -> Sequence[str]:
        return (self.verb,)

    @property
    def path(self) -> str:
        """Where it is asked. A watch asks for a list: its object is in the field selector."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        namespace = f"/namespaces/{self.namespace}" if self.namespace else ""
        name = f"/{self.name}" if self.name and self.verb == "get" else ""
        return f"{base}{namespace}/{self.resource}{name}"

    @property
    def target(self) -> str:
        """What it is about, for people."""
        where = "/".join(filter(None, (self.namespace, self.name)))
        return f"{self.resource} {where}".strip()

    @property
    def rule(self) -> str:
        """The RBAC rule that allows it, and what it belongs into."""
        names = f", resourceNames: [{self.name}]" if self.name else ""
        kind = f"a Role in the namespace {self.namespace}" if self.namespace else "a ClusterRole"
        return (
            f'{kind} with the rule {{apiGroups: ["{self.group}"], resources: [{self.resource}]'
            f"{names}, verbs: [{', '.join(self.needed_verbs)}]}}"
        )


def cluster_error(error: Exception, asked: Asked, server: str | None = None) -> SourceError:
    """What *error*, met while *server* was asked, means to an operator.

    It is one that kubernetes-asyncio, aiohttp or the operating system raised.
    """
    from kubernetes_asyncio.client import ApiException

    server = server or "the API server"
    if isinstance(error, ApiException):
        return _refusal(error.status, _said(error.body or error.reason or ""), asked, server)
    return _no_answer(error, asked, server)


def _refusal(status: int, said: str, asked: Asked, server: str) -> SourceError:
    kind, meaning = _meaning(status, asked)
    return kind(f"{asked.target}: {server} answered {status}{said and f' ({said})'}: {meaning}")


def _meaning(status: int, asked: Asked) -> tuple[type[SourceError], str]:
    match status:
        case 401:
            return SourceAccessError, (
                "it does not accept the credentials. In the cluster, check that the pod's service"
                " account still exists; with a kubeconfig, renew the login or the token in it"
            )
        case 403:
            return SourceAccessError, (
                f"the account may not {asked.verb} this. Bind it to {asked.rule}"
            )
        case 404:
            return SourceContentError, (
                "there is no such thing. Check the name, the namespace and the cluster"
            )
        case 410:
            return SourceUnreachableError, "that state is too old to go on from. Sync again"
        case 429:
            return SourceUnreachableError, "it has too much to do. Ask again later"
        case _ if status >= 500:
            return SourceUnreachableError, (
                "it is in trouble. Look at `kubectl get --raw /readyz?verbose`, then sync again"
            )
        case _:
            return SourceContentError, (
                "that is no answer of Kubernetes. Check the address of the API server"
            )


def _no_answer(error: Exception, asked: Asked, server: str) -> SourceError:
    import aiohttp

    match error:
        case aiohttp.ClientSSLError():
            return SourceAccessError(
                f"{asked.target}: {server} cannot be trusted ({_shown(error)}). Compare its"
                " certificate with the certificate authority and the server name of the kubeconfig"
            )
        case TimeoutError():
            return SourceUnreachableError(
                f"{asked.target}: {server} did not answer in time. Check that it runs, and that"
                " no firewall or network policy is in between"
            )
        case aiohttp.TooManyRedirects():
            return SourceContentError(
                f"{asked.target}: {server} redirects to another address, as no API server does."
                " Check its address, and the proxy if there is one"
            )
        case aiohttp.ClientResponseError() | aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return SourceContentError(
                f"{asked.target}: {server} does not speak as an API server ({_shown(error)})."
                " Check its address, and the proxy if there is one"
            )
        case _:
            return SourceUnreachableError(
                f"{asked.target}: {server} cannot be reached ({_shown(error)}). Check that it"
                " runs, its address, the network, and HTTPS_PROXY and NO_PROXY if they are set"
            )


def _said(body: str | bytes) -> str:
    """The message of a Status object, or the beginning of what else came."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    try:
        status = json.loads(text)
    except (ValueError, RecursionError):
        status = None
    return _printable(str(status.get("message", "")) if isinstance(status, Mapping) else text)


def _shown(error: Exception) -> str:
    return _printable(str(error)) or type(error).__name__


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:300]
