"""The files in `examples/` that others than Annals read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MANIFESTS = EXAMPLES / "kubernetes" / "annals.yaml"


def manifests() -> Sequence[Mapping[str, Any]]:
    """The Kubernetes objects of the example, in their order."""
    return list(YAML(typ="safe").load_all(MANIFESTS))


def manifest(kind: str, name: str) -> Mapping[str, Any]:
    """The one of that kind and name."""
    (found,) = (x for x in manifests() if (x["kind"], x["metadata"]["name"]) == (kind, name))
    return found


def compose() -> Mapping[str, Any]:
    """The compose file."""
    loaded: Mapping[str, Any] = YAML(typ="safe").load(EXAMPLES / "compose.yaml")
    return loaded
