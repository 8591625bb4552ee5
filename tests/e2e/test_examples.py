"""The files in `examples/` that others than Annals read: what they say of each other is so."""

from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from adapters.sources.configmap import ConfigMapSettings
from adapters.sources.formats import FORMATS
from entrypoints.config import Config, load
from entrypoints.durations import parse_duration
from tests.harness.example_files import EXAMPLES, compose, manifest, manifests

IMAGE = f"annals-registry:{version('annals-registry')}"


@pytest.fixture
def embedded(tmp_path: Path) -> Config:
    """The configuration in the Kubernetes manifests."""
    file = tmp_path / "annals.yaml"
    file.write_text(manifest("ConfigMap", "annals-config")["data"]["annals.yaml"])
    return load(file)


def pod() -> dict[str, Any]:
    """What the Deployment runs."""
    spec: dict[str, Any] = manifest("Deployment", "annals")["spec"]["template"]["spec"]
    return spec


def test_the_manifests_have_the_registry_that_they_configure(embedded: Config) -> None:
    """The ConfigMap that the source names is there, holds a registry without a flaw, and is the
    one that the Role lets Annals read and watch."""
    (source,) = embedded.sources
    settings = source.settings
    assert isinstance(settings, ConfigMapSettings)
    config_map = manifest("ConfigMap", settings.name)
    parsed = FORMATS[source.format].parse(config_map["data"][settings.key].encode())
    assert (len(parsed.entries), parsed.rejected) == (1, ())
    role = manifest("Role", "annals-source")
    assert {x["metadata"]["namespace"] for x in (role, config_map)} == {settings.namespace}
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [settings.name],
            "verbs": ["get", "watch"],
        }
    ]


def test_every_role_is_bound_to_the_account_of_the_pod() -> None:
    """Each binding is of a role that is there, for the service account that the pod runs as."""
    bindings = [x for x in manifests() if x["kind"].endswith("Binding")]
    assert len(bindings) == 2
    for binding in bindings:
        manifest(binding["roleRef"]["kind"], binding["roleRef"]["name"])
        (subject,) = binding["subjects"]
        account = manifest(subject["kind"], pod()["serviceAccountName"])["metadata"]
        assert (subject["name"], subject["namespace"]) == (account["name"], account["namespace"])


def test_the_pod_runs_what_the_manifests_configure(embedded: Config) -> None:
    """Configuration, data, port and the time to stop are those of the configuration."""
    (container,) = pod()["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    mounted = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in pod()["volumes"]}
    config = PurePosixPath(environment["REGISTRY_CONFIG"])
    config_map = volumes[mounted[str(config.parent)]]["configMap"]["name"]
    claim = volumes[mounted[environment["REGISTRY_DATA_DIR"]]]["persistentVolumeClaim"]
    assert config.name in manifest("ConfigMap", config_map)["data"]
    assert manifest("PersistentVolumeClaim", claim["claimName"])
    assert embedded.server.address == f":{container['ports'][0]['containerPort']}"
    assert container["image"] == IMAGE
    stopping = embedded.server.drain_seconds + embedded.server.grace_seconds
    assert stopping < pod()["terminationGracePeriodSeconds"]


def test_the_service_finds_the_pod() -> None:
    """The Service selects the labels of the pod and names one of its ports."""
    template = manifest("Deployment", "annals")["spec"]["template"]
    service = manifest("Service", "annals")["spec"]
    ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
    assert service["selector"] == template["metadata"]["labels"]
    assert {port["targetPort"] for port in service["ports"]} <= ports


def test_compose_runs_a_configuration_that_loads() -> None:
    """The mounted configuration has no problems, and stopping it has the time that it needs."""
    service = compose()["services"]["annals"]
    config = PurePosixPath(service["environment"]["REGISTRY_CONFIG"])
    assert f".:{config.parent}:ro" in service["volumes"]
    server = load(EXAMPLES / config.name).server
    assert server.drain_seconds + server.grace_seconds < parse_duration(
        service["stop_grace_period"]
    )


def test_compose_builds_the_image_of_this_release() -> None:
    """Out of the Containerfile of the project, under the name that the manifests use."""
    service = compose()["services"]["annals"]
    assert (EXAMPLES / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert service["image"] == IMAGE
