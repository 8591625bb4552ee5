"""The command line does what its help says, with the exit codes it promises."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from entrypoints.cli import main
from tests.harness.command_line import COMMAND, Done, environment, registry
from tests.harness.sqlite_files import tamper

CONFIGURATION = """
sources:
  - {name: sound, file: {path: sound.json}}
  - {name: broken, file: {path: broken.json}}
"""


def server(name: str, description: str = "Does things.") -> dict[str, str]:
    return {"name": f"io.example/{name}", "version": "1.0.0", "description": description}


OFFERED = [server("a"), server("b"), {"name": "io.example/undescribed", "version": "1.0.0"}]


def fill(directory: Path) -> Path:
    """A configuration with a source that can be read, but for one entry, and one that cannot."""
    (directory / "annals.yaml").write_text(CONFIGURATION)
    (directory / "sound.json").write_text(json.dumps(OFFERED))
    (directory / "broken.json").write_text("<html>")
    return directory


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A working directory without a log."""
    return fill(tmp_path)


def annals(directory: Path, *arguments: object) -> Done:
    """Run a command with the configuration of *directory* and the data in it."""
    return registry(*arguments, cwd=directory, REGISTRY_CONFIG="annals.yaml")


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a log that `registry sync` made: to be read, not to be changed."""
    directory = fill(tmp_path_factory.mktemp("synced"))
    assert annals(directory, "sync").code == 1
    return directory


def commands() -> Sequence[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    found: list[tuple[tuple[str, ...], click.Command]] = [((), main)]
    for name, command in main.commands.items():
        found.append(((name,), command))
        if isinstance(command, click.Group):
            found += [((name, inner), each) for inner, each in command.commands.items()]
    return found


@pytest.mark.parametrize(("words", "command"), commands(), ids=lambda value: str(value))
def test_help_tells_of_all_there_is(
    tmp_path: Path, words: tuple[str, ...], command: click.Command
) -> None:
    """`--help` names every option of a command, and every command of a group."""
    done = registry(*words, "--help", cwd=tmp_path)
    assert (done.code, done.errors) == (0, "")
    options = {text for parameter in command.params for text in parameter.opts if text[0] == "-"}
    inner = set(command.commands) if isinstance(command, click.Group) else set()
    assert options | inner | {"--help"} <= set(re.findall(r"[\w-]+", done.text))
    assert list(tmp_path.iterdir()) == []


def test_help_waits_for_nothing(tmp_path: Path) -> None:
    """What takes long to import is imported by the commands that need it, not by the help."""
    script = "import sys, entrypoints.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    heavy = {
        "aiosqlite",
        "anyio",
        "dependency_injector",
        "hypercorn",
        "pygit2",
        "rich",
        "starlette",
    }
    assert heavy.isdisjoint(done.stdout.split())


def test_the_embedded_example_needs_nothing(tmp_path: Path) -> None:
    """Without a configuration `registry sync` fills ./data from the example that comes along."""
    first = registry("sync", "--json", cwd=tmp_path)
    assert first.code == 0, first.errors
    (outcome,) = first.json
    assert outcome["source"] == "example"
    assert outcome["counts"]["listed"] > 0
    assert (tmp_path / "data" / "annals.db").exists()


def test_a_second_sync_finds_nothing_new(directory: Path) -> None:
    """The same content again is told as unchanged, and still is a run in the log."""
    first, second = (annals(directory, "sync", "sound", "--json") for _ in range(2))
    assert (first.code, second.code) == (0, 0)
    (before,), (after,) = first.json, second.json
    assert (before["unread"], after["unread"]) == (False, True)
    assert before["counts"]["listed"] == after["counts"]["unchanged"] == 2
    assert after["counts"]["listed"] == 0
    assert after["position"] == before["position"] + 1
    assert re.search(r"sound +\d+ +unchanged ", annals(directory, "sync", "sound").text)


def test_a_failing_source_is_named_with_its_reason(directory: Path) -> None:
    """One source that fails makes the exit code 1; the others are synced all the same."""
    done = annals(directory, "sync")
    assert done.code == 1
    assert re.match(r"broken: .+: expected JSON, found what looks like HTML", done.errors)
    assert re.search(r"sound +\d+ +changed +2 ", done.text)
    assert "sound: rejected io.example/undescribed" in done.text
    assert re.search(r"broken +\d+ +failed", done.text)


def test_a_failed_sync_takes_nothing_away(directory: Path) -> None:
    """What a source offered before it failed is still there."""
    assert annals(directory, "sync", "sound").code == 0
    before = annals(directory, "replay").output
    (directory / "sound.json").unlink()
    failed = annals(directory, "sync", "sound", "--json")
    assert failed.code == 1
    (outcome,) = failed.json
    assert (outcome["failed"], outcome["stage"]) == (True, "fetch")
    assert "sound.json does not exist" in outcome["reason"]
    assert annals(directory, "replay").output == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sync", "nobody"], "no source 'nobody' is configured: the sources are sound, broken"),
        (["sync", "--bogus"], "No such option"),
        (["bogus"], "No such command 'bogus'"),
        ([], "Usage: registry"),
        (["log", "--limit", "0"], "'--limit'"),
        (["replay", "--format", "yaml"], "'--format'"),
        (["replay", "--at", "last week"], "'last week' is not a moment: expected an RFC 3339 time"),
        (["replay", "--at", "2026-01-01T00:00:00"], "expected an RFC 3339 time with an offset"),
        (["sync", "--config", "missing.yaml"], "missing.yaml: (top level): cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_exits_with_2(directory: Path, arguments: list[str], message: str) -> None:
    """What cannot be meant is refused with 2 and a message, before anything is made."""
    done = annals(directory, *arguments)
    assert (done.code, done.output) == (2, b"")
    assert message in done.errors
    assert not (directory / "data").exists()


@pytest.mark.parametrize("command", ["status", "verify", "log", "replay"])
def test_without_a_log_there_is_nothing_to_read(directory: Path, command: str) -> None:
    """What reads a log exits with 1 where there is none, says what to do, and makes none."""
    done = annals(directory, command)
    assert (done.code, done.output) == (1, b"")
    assert "there is no log at data/annals.db: run `registry sync`" in done.errors
    assert not (directory / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["replay", "--at", "2020-01-01"], 1, "the first commit was recorded at "),
        (["replay", "--at", "@0"], 1, "Nothing was recorded by @0"),
        (["replay", "--at", "2999-12-31"], 2, "2999-12-31T00:00:00Z lies in the future"),
        (["replay", "--at", "@4711"], 2, "@4711 lies in the future: the log ends at @"),
        (["replay", "--registry", "other"], 1, "No registry 'other': the registries are default"),
        (["replay", "--output", "no/such/folder"], 1, "no/such/folder"),
        (["log", "--source", "nobody"], 1, "nothing of a source 'nobody'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_not_there_is_told(
    synced: Path, arguments: list[str], code: int, message: str
) -> None:
    """A moment, a registry or a source that the log does not have is an error that says so."""
    done = annals(synced, *arguments)
    assert (done.code, done.output) == (code, b"")
    assert message in done.errors


@pytest.mark.parametrize("format_name", ["upstream", "toolhive", "api"])
def test_a_replay_into_a_file_is_the_same(synced: Path, tmp_path: Path, format_name: str) -> None:
    """`--output` writes what else goes to standard output; the summary stays apart from both."""
    file = tmp_path / "registry.json"
    printed = annals(synced, "replay", "--format", format_name, "--json")
    written = annals(synced, "replay", "--format", format_name, "--output", file)
    assert (printed.code, written.code, written.output) == (0, 0, b"")
    assert file.read_bytes() == printed.output
    assert isinstance(printed.json, dict)
    summary = json.loads(printed.errors)
    assert (summary["registry"], summary["servers"], summary["versions"]) == ("default", 2, 2)
    for value in summary.values():
        assert str(value) in written.errors


def test_a_replayed_file_can_be_a_source(synced: Path, tmp_path: Path) -> None:
    """What `registry replay` writes, another registry reads, and gives back the same servers."""
    file = tmp_path / "mirror.json"
    assert annals(synced, "replay", "--output", file).code == 0
    (tmp_path / "annals.yaml").write_text("source: {type: file, file: {path: mirror.json}}")
    assert annals(tmp_path, "sync").code == 0
    again = annals(tmp_path, "replay").json
    assert again["data"] == json.loads(file.read_text())["data"]


def test_what_happened_is_listed(synced: Path) -> None:
    """`registry log --json` has one event per line, in the order of positions, as many as asked."""

    def logged(*options: object) -> list[dict[str, Any]]:
        done = annals(synced, "log", "--json", *options)
        assert done.code == 0, done.errors
        return [json.loads(line) for line in done.text.splitlines()]

    events = logged()
    assert [event["position"] for event in events] == list(range(1, len(events) + 1))
    assert logged("--after", 2, "--limit", 2) == events[2:4]
    assert logged("--limit", 3) == events[-3:]
    of_broken = [event for event in events if event["stream"].endswith("-broken")]
    assert [event["type"] for event in of_broken] == ["sync.failed"]
    assert logged("--source", "broken") == of_broken


def test_the_status_of_every_source_is_shown(synced: Path) -> None:
    """`registry status` says how the last sync of each source went and what was rejected."""
    sound, broken = annals(synced, "status", "--json").json
    assert (sound["source"], sound["status"]["phase"]) == ("sound", "Complete")
    assert sound["status"]["server_count"] == 2
    assert [entry["name"] for entry in sound["rejected"]] == ["io.example/undescribed"]
    assert (broken["source"], broken["status"]["phase"]) == ("broken", "Failed")
    assert "HTML" in broken["status"]["message"]
    assert "sound: rejected io.example/undescribed" in annals(synced, "status").text


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        (["status"], [r"sound +Complete +2 +0 ", r"broken +Failed +0 +1 .*HTML.*address and cred"]),
        (["log"], [r" 6 .* sync-sound +synced: 2 listed", r" 7 .* sync failed at parse: .*HTML"]),
    ],
    ids=["status", "log"],
)
def test_tables_in_a_pipe_have_a_row_a_line(
    synced: Path, arguments: list[str], rows: list[str]
) -> None:
    """However narrow the terminal, in a pipe a row is one line, without colours."""
    done = registry(*arguments, cwd=synced, COLUMNS="40", REGISTRY_CONFIG="annals.yaml")
    assert done.code == 0
    assert "\x1b" not in done.text
    for row in rows:
        assert re.search(row, done.text), done.text


def test_a_closed_pipe_is_no_trouble(synced: Path) -> None:
    """`registry log | head` ends without a word when `head` has had enough."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [COMMAND, "log"], cwd=synced, env=environment(), stdout=closed, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_sound_log_is_verified(synced: Path) -> None:
    """`registry verify` counts what it has checked and shows the Merkle root of a replay."""
    summary = json.loads(annals(synced, "replay", "--json").errors)
    verified = annals(synced, "verify", "--json").json
    assert (verified["events"], verified["documents"]) == (summary["position"], 2)
    assert (verified["root"], verified["damages"]) == (summary["merkle_root"], [])
    assert "Everything fits." in annals(synced, "verify").text


def test_a_damaged_log_is_named(directory: Path) -> None:
    """`registry verify` exits with 1 and names the first position that does not fit."""
    assert annals(directory, "sync", "sound").code == 0
    change = "UPDATE events SET data = CAST(replace(data, 'listed', 'lasted') AS BLOB)"
    tamper(directory / "data" / "annals.db", f"{change} WHERE position = 6")
    machine, people = annals(directory, "verify", "--json"), annals(directory, "verify")
    assert (machine.code, people.code) == (1, 1)
    assert machine.json["damages"][0]["position"] == 6
    assert "position 6: the event is not the one that was appended" in people.text
    assert "Restore it from a backup" in people.text


def test_a_good_configuration_is_described(directory: Path) -> None:
    """`registry config check` lists what a configuration has."""
    done = annals(directory, "config", "check", "annals.yaml")
    assert (done.code, done.errors) == (0, "")
    assert re.search(rf"sound +file +{directory}/sound.json +1800", done.text)
    assert "registry default: sound, broken" in done.text
    checked = annals(directory, "config", "check", "annals.yaml", "--json").json
    assert checked["valid"]
    assert [source["name"] for source in checked["sources"]] == ["sound", "broken"]


def test_a_bad_configuration_is_told_in_full(directory: Path) -> None:
    """`registry config check` exits with 2 and tells every problem with its line and column."""
    (directory / "bad.yaml").write_text("sources:\n  - {name: A b, file: {paht: x}}\nstorge: {}\n")
    done = annals(directory, "config", "check", "bad.yaml")
    assert done.code == 2
    places = re.findall(r"^bad\.yaml:(\d+):\d+: (\S+): ", done.errors, re.MULTILINE)
    assert ("2", "sources[0].name") in places
    assert ("3", "storge") in places
    checked = annals(directory, "config", "check", "bad.yaml", "--json")
    assert (checked.code, checked.json["valid"]) == (2, False)
    assert len(checked.json["problems"]) == len(places)
    refused = annals(directory, "sync", "--config", "bad.yaml")
    assert (refused.code, refused.output) == (2, b"")
    assert done.errors.strip() in refused.errors


@pytest.mark.parametrize("command", [["sync"], ["serve", "--address", "127.0.0.1:0"]])
def test_a_forgotten_configuration_is_missed(directory: Path, command: list[str]) -> None:
    """Without --config the example does not take over what belongs to another configuration."""
    assert annals(directory, "sync", "sound").code == 0
    before = annals(directory, "log", "--json").output
    done = registry(*command, cwd=directory)
    assert (done.code, done.output) == (2, b"")
    assert "data: " in done.errors
    assert "holds the history of broken, sound: name their configuration" in done.errors
    assert annals(directory, "log", "--json").output == before


def test_the_release_is_told(tmp_path: Path) -> None:
    """`registry version` tells what runs, also to machines."""
    release = registry("version", "--json", cwd=tmp_path).json
    assert {"version", "commit", "build_date", "python_version", "platform"} == release.keys()
    assert f"annals-registry {release['version']} " in registry("version", cwd=tmp_path).text
