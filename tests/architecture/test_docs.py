"""The documentation is complete, and its examples run."""

import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import click
import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from application.codec import EVENT_TYPES
from domain import errors
from entrypoints.cli import main
from entrypoints.config import known_keys, load
from entrypoints.error_codes import ERROR_CODES
from entrypoints.http.app import ENDPOINTS
from tests.harness.registry_world import registry_world

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("key", known_keys())
def test_every_configuration_key_is_documented(key):
    """Each key of each form appears in docs/configuration.md, by its last part."""
    assert f"`{key.rpartition('.')[2].removesuffix('[]')}" in page("configuration.md") or (
        f"`{key}`" in page("configuration.md")
    )


def commands(group: click.Group, prefix: str = "registry"):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


@pytest.mark.parametrize(("name", "command"), list(commands(main)))
def test_every_command_and_option_is_documented(name, command):
    """Each command has a heading in docs/cli.md and each option is named there."""
    text = page("cli.md")
    assert f"\n## {name}\n" in text
    for parameter in command.params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            assert f"`{option}" in text or f" {option} " in text, option


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: f"{e.method} {e.path}")
def test_every_endpoint_is_documented(endpoint):
    """Each path template of the route table appears in docs/http-api.md."""
    assert endpoint.path in page("http-api.md")


async def test_every_metric_is_documented():
    """Each metric of /metrics, with its labels, appears in docs/metrics.md."""
    async with registry_world() as world:
        await world.sync("main", [])
        await world.client.get("/health")
        families = list(text_string_to_metric_families((await world.client.get("/metrics")).text))

    assert len(families) > 10
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label: None for s in family.samples for label in s.labels if label != "le"}
        told = f"{{{','.join(labels)}}}" if labels else ""
        assert f"`{name}{told}" in page("metrics.md"), name


@pytest.mark.parametrize(("name", "event_type"), list(EVENT_TYPES.items()))
def test_every_event_is_documented(name, event_type):
    """Each event has a heading in docs/event-log.md, and each member of its payload is named."""
    heading = f"### `{name}` (version {event_type.schema_version})\n"
    text = page("event-log.md")
    assert heading in text
    section = text.partition(heading)[2].partition("\n### ")[0]
    for field in attrs.fields(event_type.cls):
        assert f"`{field.name}`" in section, field.name


ERRORS = [
    cls
    for cls in vars(errors).values()
    if inspect.isclass(cls) and issubclass(cls, errors.AnnalsError)
]


@pytest.mark.parametrize("cls", ERRORS)
def test_every_error_is_documented_with_its_codes(cls):
    """Each error has its row in docs/errors.md and its place in the drawing of the tree."""
    row = re.search(rf"^\| `{cls.__name__}` \| (?:`(\w+)`)? ?\|(.*)$", page("errors.md"), re.M)
    assert row is not None
    assert row[1] == (cls.__base__.__name__ if cls is not errors.AnnalsError else None)
    if code := ERROR_CODES.get(cls):
        assert f" {code.http_status} | {code.exit_code} |" in row[2]
    assert cls.__name__ in (errors.__doc__ or "")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with the examples beside it, and the command on the path."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for variable in ("REGISTRY_CONFIG", "REGISTRY_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    return tmp_path


@pytest.mark.parametrize("name", ["README.md", "docs/cli.md", "docs/operations.md"])
def test_every_example_runs(name, folder):
    """The `sh` blocks of a page, one after the other in one shell, succeed."""
    script = "\n".join(["set -e", *blocks(ROOT / name, "sh")])
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tour_tells_the_truth(folder):
    """What the README says of the tour is what its commands print."""
    script = "\n".join(["set -e", *blocks(ROOT / "README.md", "sh")])
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120, check=True
    )
    assert re.search(r"tour +16 +changed +13 ", done.stdout)
    assert re.search(
        r"17 .*github-mcp-server@1\.10\.0 listed(?s:.*)"
        r"playwright-mcp@0\.0\.46 revised: capability, execution(?s:.*)server-puppeteer.* delisted",
        done.stdout,
    )
    assert re.search(r"~ 0\.0\.46 .*execution.* version reused!", done.stdout)
    assert re.search(r"\+ .*/tools/\d+ +\"browser_run_code\"", done.stdout)
    assert re.search(r"approved +.*16", done.stdout)
    diff = done.stdout[done.stdout.index("approved") :]
    assert re.search(r"playwright-mcp +changed(?s:.*)~ /packages/0/identifier +\".*v0\.0\.46", diff)
    assert (folder / "tour/before.json").read_bytes() != (folder / "tour/after.json").read_bytes()
    assert "Everything fits." in done.stdout


CONFIGURATIONS = [
    pytest.param(block, id=f"{path.name}-{number}")
    for path in sorted([ROOT / "README.md", *DOCS.glob("*.md")])
    for number, block in enumerate(blocks(path, "yaml"))
]


@pytest.mark.parametrize("block", CONFIGURATIONS)
def test_every_configuration_example_loads(block, tmp_path):
    """Each `yaml` block of the documentation is a configuration without problems."""
    file = tmp_path / "annals.yaml"
    file.write_text(block, encoding="utf-8")
    load(file)


EXAMPLES = [file for file in (ROOT / "examples").glob("*.yaml") if file.name != "compose.yaml"]


@pytest.mark.parametrize("file", sorted(EXAMPLES), ids=lambda file: file.name)
def test_every_example_configuration_loads(file):
    """Each configuration in examples/ has no problems."""
    load(file)


def test_the_complete_example_has_every_key():
    """Whoever starts from it sees everything that can be set, but for the form of one source."""
    text = (ROOT / "examples" / "config-complete.yaml").read_text(encoding="utf-8")
    used = set(_key_paths(YAML(typ="safe").load(text)))
    of_one_source = ("source", "registryName", "syncPolicy", "filter")
    assert used == {key for key in known_keys() if key.split(".")[0] not in of_one_source}


def _key_paths(value, prefix=""):
    if isinstance(value, list):
        for item in value:
            yield from _key_paths(item, f"{prefix}[]")
    elif isinstance(value, dict) and not prefix.endswith(".headers"):
        for key, inner in value.items():
            path = f"{prefix}.{key}".removeprefix(".")
            yield path
            yield from _key_paths(inner, path)


PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "examples" / "README.md"])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_documentation_leads_somewhere(path):
    """Relative links name files that are there."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
