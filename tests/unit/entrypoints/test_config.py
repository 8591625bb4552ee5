"""Configuration files, in both forms, and everything that can be wrong with one."""

import hashlib
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from textwrap import dedent
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.sources import SOURCES
from adapters.sources.file import FileSettings
from adapters.sources.formats import FORMATS
from adapters.sources.git import GitSettings, History
from domain.errors import ConfigError
from domain.filters import Filter, NamePattern
from domain.identifiers import RegistryName, SourceName
from domain.notes import parse_verifier_key
from entrypoints.config import (
    Config,
    KubernetesConfig,
    LogConfig,
    RegistryConfig,
    ServerConfig,
    SourceConfig,
    StatusConfig,
    StorageConfig,
    SyncPolicy,
    WitnessConfig,
    example_config,
    known_keys,
    load,
    location,
    settings_hash,
)

SINGLE_EXAMPLE = """
registryName: my-registry
source:
  type: git
  format: toolhive
  git:
    repository: https://github.com/stacklok/toolhive.git
    branch: main
    path: pkg/registry/data/registry.json
syncPolicy:
  interval: "30m"
filter:
  names:
    include: ["official/*"]
    exclude: ["*/deprecated"]
  tags:
    include: ["production"]
    exclude: ["experimental"]
"""


def write(directory: Path, text: str) -> Path:
    path = directory / "annals.yaml"
    path.write_text(dedent(text), encoding="utf-8", newline="")
    return path


def read(directory: Path, text: str) -> Config:
    return load(write(directory, text))


def problems(directory: Path, text: str) -> list[str]:
    """Line, column, key and message of each problem."""
    path = write(directory, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert {problem.file for problem in caught.value.problems} == {str(path)}
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


def file_source(name: str, path: str = "/r.json", **settings: Any) -> SourceConfig:
    return SourceConfig(
        name=SourceName(name), type="file", settings=FileSettings(path=path), **settings
    )


def test_single_form(tmp_path: Path) -> None:
    """The form for a single source gives one source and one registry of the same name."""
    source = SourceConfig(
        name=SourceName("my-registry"),
        type="git",
        settings=GitSettings(
            repository="https://github.com/stacklok/toolhive.git",
            branch="main",
            path="pkg/registry/data/registry.json",
        ),
        format="toolhive",
        sync_policy=SyncPolicy(interval_seconds=1800.0),
        filter=Filter(
            include_names=(NamePattern("official/*"),),
            exclude_names=(NamePattern("*/deprecated"),),
            include_tags=("production",),
            exclude_tags=("experimental",),
        ),
    )
    registry = RegistryConfig(
        name=RegistryName("my-registry"), sources=(SourceName("my-registry"),)
    )
    assert read(tmp_path, SINGLE_EXAMPLE) == Config(sources=(source,), registries=(registry,))


def test_single_form_defaults(tmp_path: Path) -> None:
    """Of the form for a single source, only the source itself is needed."""
    text = "source: {type: file, file: {path: /r.json}, allowEmpty: true, maxRemoval: 1}"
    assert read(tmp_path, text) == Config(
        sources=(file_source("default", allow_empty=True, max_removal=1.0),),
        registries=(
            RegistryConfig(name=RegistryName("default"), sources=(SourceName("default"),)),
        ),
    )


def test_full_form(tmp_path: Path) -> None:
    """The full form has any number of sources and registries, and every setting."""
    text = """
        sources:
          - name: a
            file: {path: /a.json}
            syncPolicy: {interval: 1m30s}
            filter: {tags: {exclude: [old]}}
            allowEmpty: true
            maxRemoval: 0.9
          - name: b
            format: upstream
            file: {path: /b.json}
        registries:
          - {name: both, sources: [b, a]}
          - {name: only-a, sources: [a]}
        storage: {type: sqlite, path: /log.db}
        status: {file: /status.json}
        server: {address: "127.0.0.1:9090", drain: 500ms, grace: 1m}
        kubernetes: {kubeconfig: /kubeconfig, context: there}
        """
    assert read(tmp_path, text) == Config(
        sources=(
            file_source(
                "a",
                "/a.json",
                sync_policy=SyncPolicy(interval_seconds=90.0),
                filter=Filter(exclude_tags=("old",)),
                allow_empty=True,
                max_removal=0.9,
            ),
            file_source("b", "/b.json", format="upstream"),
        ),
        registries=(
            RegistryConfig(name=RegistryName("both"), sources=(SourceName("b"), SourceName("a"))),
            RegistryConfig(name=RegistryName("only-a"), sources=(SourceName("a"),)),
        ),
        storage=StorageConfig(type="sqlite", path="/log.db"),
        status=StatusConfig(file="/status.json"),
        server=ServerConfig(address="127.0.0.1:9090", drain_seconds=0.5, grace_seconds=60.0),
        kubernetes=KubernetesConfig(kubeconfig="/kubeconfig", context="there"),
    )


def test_full_form_defaults(tmp_path: Path) -> None:
    """Without registries there is one, `default`, with all sources in their order."""
    text = "sources: [{name: b, file: {path: /r.json}}, {name: a, file: {path: /r.json}}]"
    assert read(tmp_path, text) == Config(
        sources=(file_source("b"), file_source("a")),
        registries=(
            RegistryConfig(
                name=RegistryName("default"), sources=(SourceName("b"), SourceName("a"))
            ),
        ),
        storage=StorageConfig(type="sqlite", path=None),
        status=StatusConfig(file=None),
        server=ServerConfig(address=":8080", drain_seconds=1.0, grace_seconds=25.0),
        kubernetes=KubernetesConfig(kubeconfig=None, context=None),
    )


PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
WITNESS = "witness.example.com/w1+bdc9f044+BG3JfxXX1hoJ15iJJzbMEziWBcyENhgLDBoXG3f78kdK"


def test_the_log_is_configured(tmp_path: Path) -> None:
    """Its name, its key, and the witnesses, each with or without an address."""
    text = f"""
        source: {{file: {{path: /r.json}}, type: file}}
        log:
          origin: example.com/log
          keyFile: log.key
          witnesses:
            - {{key: {WITNESS}, url: "https://witness.example.com"}}
            - {{key: {WITNESS}}}
        """
    key = parse_verifier_key(WITNESS)
    assert read(tmp_path, text).log == LogConfig(
        origin="example.com/log",
        key_file=f"{tmp_path}/log.key",
        witnesses=(
            WitnessConfig(key=key, url="https://witness.example.com"),
            WitnessConfig(key=key, url=None),
        ),
    )


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("{origin: a log}", "log.origin: expected a name without spaces"),
        ("{witnesses: [{key: hello}]}", "log.witnesses[0].key: not a key: expected NAME+ID+BASE64"),
        (
            f"{{witnesses: [{{key: {PETER}}}]}}",
            "log.witnesses[0].key: expected the key of a witness, of algorithm 4",
        ),
        (f"{{witnesses: [{{key: {WITNESS}, url: witness}}]}}", "expected a URL that begins with"),
        (f"{{witnesses: [{{key: {WITNESS}, url: 'http://'}}]}}", "expected a URL that begins with"),
    ],
)
def test_a_log_that_is_configured_wrongly(tmp_path: Path, log: str, expected: str) -> None:
    """The problem says what was expected."""
    (found,) = problems(tmp_path, f"source: {{file: {{path: /r}}, type: file}}\nlog: {log}\n")
    assert expected in str(found)


def test_anchors_share_settings(tmp_path: Path) -> None:
    """Anchors and merge keys spare repeating what sources share."""
    text = """
        sources:
          - &shared
            name: a
            file: {path: /r.json}
            syncPolicy: {interval: 1h}
          - <<: *shared
            name: b
        """
    config = read(tmp_path, text)
    assert [source.name for source in config.sources] == ["a", "b"]
    assert {source.sync_policy.interval_seconds for source in config.sources} == {3600.0}


@pytest.mark.parametrize("kind", SOURCES, ids=lambda kind: kind.name)
def test_every_kind_is_configured_by_its_name(tmp_path: Path, kind: Any) -> None:
    """Every kind of source has a block of its name, whose keys are the settings of the kind."""
    keys = {key.split(".")[2] for key in known_keys() if key.startswith(f"sources[].{kind.name}.")}
    assert len(keys) == len(attrs.fields(kind.settings))
    (found,) = problems(tmp_path, f"sources: [{{name: a, {kind.name}: 1}}]")
    assert found == (
        f"1:{len(kind.name) + 23}: sources[0].{kind.name}: expected a mapping, got a whole number"
    )


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format(tmp_path: Path, name: str) -> None:
    """Every format that can be read can be named."""
    text = f"source: {{type: file, format: {name}, file: {{path: /r.json}}}}"
    assert read(tmp_path, text).sources[0].format == name


def test_relative_paths(tmp_path: Path) -> None:
    """Relative paths are taken from the directory of the file, whatever the current one is."""
    text = """
        sources:
          - {name: a, file: {path: data/r.json}}
          - {name: b, git: {repository: ../clone, path: r.json}}
          - {name: c, git: {repository: "https://example.com/r.git", tokenFile: token}}
          - {name: d, git: {repository: "git@example.com:r.git", sshKeyFile: ./keys/id}}
        storage: {path: log.db}
        status: {file: status.json}
        kubernetes: {kubeconfig: kubeconfig}
        """
    config = read(tmp_path, text)
    a, b, c, d = (source.settings for source in config.sources)
    assert a.path == f"{tmp_path}/data/r.json"
    assert (b.repository, b.path) == (f"{tmp_path}/../clone", "r.json")
    assert (c.repository, c.token_file) == ("https://example.com/r.git", f"{tmp_path}/token")
    assert (d.repository, d.ssh_key_file) == ("git@example.com:r.git", f"{tmp_path}/keys/id")
    assert config.storage.path == f"{tmp_path}/log.db"
    assert config.status.file == f"{tmp_path}/status.json"
    assert config.kubernetes.kubeconfig == f"{tmp_path}/kubeconfig"


def test_relative_path_of_the_file_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration named by a relative path means the same files as by its absolute one."""
    path = write(tmp_path, "source: {type: file, file: {path: r.json}}")
    monkeypatch.chdir(tmp_path)
    assert load(Path(path.name)) == load(path)


def test_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home directory."""
    monkeypatch.setenv("HOME", "/home/ann")
    (source,) = read(tmp_path, "source: {type: file, file: {path: ~/r.json}}").sources
    assert source.settings.path == "/home/ann/r.json"


def test_many_problems_at_once(tmp_path: Path) -> None:
    """All problems of a file are told together, each with its place, in their order."""
    text = """\
        sources:
          - name: Bad Name
            git: {repository: 1.0, commit: main, tag: x, token: hunter2}
            syncPolicy: {interval: 10ms}
          - name: b
            file:
              pth: x
            format: yaml
            filter: {names: {include: x, exclude: ["[a"]}, tags: [a]}
            maxRemoval: 0
          - name: b
            file: {path: x}
            git: ~
            allowEmpty: yes
          - x
        registries:
          - name: a
            sources: [b, c, b]
          - name: a
            sources: []
          - nme: q
        server: {address: here, drain: 1x, drain: 2s, grace: -1s}
        storage: {type: mongo}
        status: {file: !!python/object:x y}
        filter: {}
        """
    found = problems(tmp_path, text)
    expected = [
        "2:11: sources[0].name: 'Bad Name' is not a source name: expected 1 to 63 of a-z",
        "3:23: sources[0].git.repository: expected text, got a number: put it in quotes",
        "3:36: sources[0].git.commit: expected the full commit id",
        "3:50: sources[0].git.token: unknown key: a secret never stands in a configuration",
        "4:28: sources[0].syncPolicy.interval: expected a duration of at least 1s",
        "7:7: sources[1].file.pth: unknown key: did you mean `path`?",
        "8:13: sources[1].format: expected toolhive or upstream",
        "9:31: sources[1].filter.names.include: expected a list, got text",
        "9:44: sources[1].filter.names.exclude[0]: '[a': the '[' at 1 is not closed",
        "9:58: sources[1].filter.tags: expected a mapping, got a list",
        "10:17: sources[1].maxRemoval: expected a ratio above 0 and up to 1",
        "11:5: sources[2]: expected exactly one of ",
        "11:11: sources[2].name: already used above: expected a name of its own",
        "13:10: sources[2].git: expected a mapping, got nothing",
        "14:17: sources[2].allowEmpty: expected true or false, got text",
        "15:5: sources[3]: expected a mapping, got text",
        "18:18: registries[0].sources[1]: no such source: expected one of `Bad Name`, `b`",
        "18:21: registries[0].sources[2]: listed twice: leave one of them out",
        "19:11: registries[1].name: already used above: expected a name of its own",
        "20:14: registries[1].sources: expected at least one source",
        "21:5: registries[2].name: missing: expected text",
        "21:5: registries[2].nme: unknown key: did you mean `name`?",
        "21:5: registries[2].sources: missing: expected a list",
        "22:19: server.address: expected host:port, [IPv6 address]:port, or :port",
        "22:32: server.drain: '1x' is no duration: write it as in 30s, 5m or 1h30m",
        "22:36: server.drain: already given in line 22",
        "22:54: server.grace: expected a duration of at least 0s",
        "23:17: storage.type: expected sqlite or memory",
        "24:16: status.file: the tag !!python/object:x is not accepted: leave it out",
        "25:1: filter: belongs to the form for a single source",
    ]
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start)


SOURCE = "source: {type: file, file: {path: /r.json}}\n"
GIT = "source: {type: git, git: {repository: /r"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sorces: []", "1:1: sorces: unknown key: did you mean `sources`?"),
        ("sources: []", "1:10: sources: expected at least one source"),
        ("sources: ~", "1:10: sources: expected a list, got nothing"),
        ("registryName: a", "1:1: source: missing: expected a mapping"),
        (f"{SOURCE}registryName: a.b", "2:15: registryName: 'a.b' is not a registry name"),
        (f"{SOURCE}registryName: {'a' * 64}", "2:15: registryName: 'aaaa"),
        (f"{SOURCE}syncPolicy: {{interval: 0s}}", "2:24: syncPolicy.interval: expected a dur"),
        (f"{SOURCE}syncPolicy: {{interval: 999ms}}", "2:24: syncPolicy.interval: expected a d"),
        (f"{SOURCE}filter: {{name: {{}}}}", "2:10: filter.name: unknown key: did you mean `na"),
        (f"{SOURCE}server: {{drain: -1s}}", "2:17: server.drain: expected a duration of at l"),
        (f"{SOURCE}status: {{file: ''}}", "2:16: status.file: expected a path"),
        ("source: {type: git, file: {path: x}}", "1:16: source.type: expected file, as the s"),
        ("source: {type: ftp, file: {path: x}}", "1:16: source.type: expected "),
        ("source: {file: {path: x}}", "1:9: source.type: missing: expected text"),
        ("source: {type: file}", "1:9: source: expected exactly one of "),
        ("source: {type: file, file: {path: x}, maxRemoval: 1.1}", "1:51: source.maxRemoval: "),
        ("source: {type: file, file: {path: x}, maxRemoval: -1}", "1:51: source.maxRemoval: "),
        (f"{GIT}, history: all}}}}", "1:52: source.git.history: expected `full` or a mapping"),
        (f"{GIT}, history: {{since: 1}}}}}}", "1:60: source.git.history.since: expected text"),
        (f"{GIT}, history: {{since: soon}}}}}}", "1:60: source.git.history.since: expected a date"),
        ("source: {type: file, file: {path: x}, name: a}", "1:39: source.name: unknown key"),
    ],
)
def test_rules(tmp_path: Path, text: str, expected: str) -> None:
    """Every rule has its message, at the key or value that breaks it."""
    found = problems(tmp_path, text)
    assert any(problem.startswith(expected) for problem in found), found


def test_both_forms_are_checked(tmp_path: Path) -> None:
    """A file that mixes the forms is told so, together with what is wrong in each."""
    text = "source: {type: file}\nsources: [{name: a}]\nserver: {address: x}\n"
    assert [problem.split(": ")[1] for problem in problems(tmp_path, text)] == [
        "source",
        "source",
        "sources[0]",
        "server.address",
    ]


def test_mixture_without_sources(tmp_path: Path) -> None:
    """A mixture of lesser keys is told as a mixture alone."""
    (found,) = problems(tmp_path, "registryName: a\nregistries: []\n")[:1]
    assert found.startswith("1:1: registryName: belongs to the form for a single source")


@pytest.mark.parametrize(
    "address", [":8080", "localhost:80", "127.0.0.1:0", "[::1]:8080", "registry.example.com:65535"]
)
def test_addresses(address: str) -> None:
    """An address is a host and a port, or a port alone."""
    assert ServerConfig(address=address).address == address


@pytest.mark.parametrize("address", ["", "8080", "host", ":65536", "::1:80", "[::1]", "a b:80"])
def test_what_is_no_address(address: str) -> None:
    """An address without a port, or with an impossible one, is refused."""
    with pytest.raises(ValueError, match="expected host:port"):
        ServerConfig(address=address)


@pytest.mark.parametrize(
    ("written", "history"),
    [
        ("full", History()),
        ("{since: 2025-01-01}", History(since="2025-01-01")),
        ("~", None),
    ],
)
def test_history(tmp_path: Path, written: str, history: History | None) -> None:
    """All of the history, or that since a date, which needs no quotes."""
    (source,) = read(tmp_path, f"{GIT}, history: {written}}}}}").sources
    assert source.settings.history == history
    assert (settings_hash(source) == settings_hash(attrs.evolve(source, settings=NO_HISTORY))) is (
        history is None
    )


NO_HISTORY = GitSettings(repository="/r")


def test_missing_file(tmp_path: Path) -> None:
    """A configuration that does not exist is one problem that says what to do."""
    with pytest.raises(ConfigError, match=r"cannot be read: .*: check the path"):
        load(tmp_path / "none.yaml")


def test_secret_is_never_repeated(tmp_path: Path) -> None:
    """A secret that stands in the file does not come out of an error."""
    text = """
        sources:
          - name: a
            git: {repository: "https://u:hunter2@example.com/r", token: hunter2, password: hunter2}
          - name: b
            git: {repository: x, path: r.json, tokenFile: [hunter2]}
        """
    found = problems(tmp_path, text)
    assert len(found) == 4
    assert "hunter2" not in "".join(found)


def test_example_config() -> None:
    """Without a configuration, the registry that comes with Annals is served as `default`."""
    config = example_config()
    (source,) = config.sources
    assert (source.name, source.type) == ("example", "file")
    assert Path(source.settings.path).parts[-2:] == ("examples", "registry.json")
    assert Path(source.settings.path).is_absolute()
    assert config.registries == (
        RegistryConfig(name=RegistryName("default"), sources=(SourceName("example"),)),
    )


def test_file_by_url(tmp_path: Path) -> None:
    """What is asked for over HTTP has its settings beside the address."""
    text = """
        sources:
          - name: a
            file: {url: "https://a.test/b", timeout: 5s, headers: {X-Team: a}, caFile: ca.pem}
        """
    source = read(tmp_path, text).sources[0]
    assert source.settings == FileSettings(
        url="https://a.test/b",
        timeout_seconds=5.0,
        headers={"X-Team": "a"},
        ca_file=f"{tmp_path}/ca.pem",
    )
    assert settings_hash(source) != settings_hash(file_source("a"))


def test_problems_of_headers(tmp_path: Path) -> None:
    """Problems with headers name the place and the header, never the value."""
    text = """\
        sources:
          - name: a
            file:
              url: https://a.test/b
              headers: {Authorization: Bearer hunter2}
          - name: b
            file:
              url: https://me:hunter2@a.test/b
              headers: {X-Key: "hunter2\\n", X-Number: 31337}
        """
    found = problems(tmp_path, text)
    expected = [
        "5:16: sources[0].file.headers: Authorization is a secret: put the token into a file",
        "8:12: sources[1].file.url: expected an address without user name, password and fragment",
        "9:47: sources[1].file.headers.X-Number: expected text, got a whole number",
    ]
    assert all(map(str.startswith, found, expected)), found
    assert len(found) == len(expected)
    assert "hunter2" not in str(found)


def test_settings_hash_is_of_what_is_read() -> None:
    """The hash follows kind, format and settings."""
    base = file_source("a")
    others = [
        file_source("a", "/other.json"),
        file_source("a", format="upstream"),
        attrs.evolve(base, type="git", settings=GitSettings(repository="/r.json")),
        attrs.evolve(base, type="git", settings=GitSettings(repository="/r.json", branch="b")),
    ]
    assert len({settings_hash(source) for source in [base, *others]}) == 5


def test_settings_hash_is_of_nothing_else() -> None:
    """Name, interval, filter and guards leave the hash as it is, and so do written defaults."""
    base = file_source("a")
    other = file_source(
        "b",
        sync_policy=SyncPolicy(interval_seconds=5.0),
        filter=Filter(include_tags=("x",)),
        allow_empty=True,
        max_removal=0.1,
    )
    assert settings_hash(base) == settings_hash(other)


def test_settings_hash_is_stable() -> None:
    """The hash is the same in every release: otherwise a source would be read as another."""
    hashed = b'{"format":null,"settings":{"path":"/r.json"},"type":"file"}'
    assert settings_hash(file_source("a")) == hashlib.sha256(hashed).hexdigest()


def test_location(tmp_path: Path) -> None:
    """A source is somewhere, as its kind tells it."""
    git = read(tmp_path, SINGLE_EXAMPLE).sources[0]
    assert location(file_source("a")) == "/r.json"
    assert location(git).startswith("https://github.com/stacklok/toolhive.git")


def test_known_keys() -> None:
    """Every key path of both forms is known, once."""
    keys = known_keys()
    assert len(set(keys)) == len(keys)
    assert {
        "registryName",
        "source.type",
        "source.git.repository",
        "source.maxRemoval",
        "syncPolicy.interval",
        "filter.names.include",
        "sources[].name",
        "sources[].git.tokenFile",
        "sources[].git.maxRepositoryMiB",
        "sources[].git.history",
        "sources[].git.history.since",
        "sources[].filter.tags.exclude",
        "registries[].sources",
        "storage.path",
        "status.file",
        "server.drain",
        "kubernetes.context",
    } < set(keys)


def test_yaml_is_imported_only_to_load() -> None:
    """Commands that read no configuration do not pay for the YAML library."""
    code = "import sys, entrypoints.config; assert 'ruamel.yaml' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


WORDS = (
    "sources registries source name git file path type filter names include interval 30s x a "
    ": - [ ] { } , & * &x *x << ! !! !!int !!map %YAML --- ... ' \" | > # ? @ ` ~ 1 1.5 0x .inf "
    "true \\ \\ud800 = \0 \ufeff"
)
TOKENS = st.sampled_from(WORDS.split()) | st.sampled_from(
    [" ", "\n", "\n  ", "\t", "\r", ": ", "\x85", "\u2028"]
)
NAMES = st.sampled_from(sorted({part.strip("[]") for k in known_keys() for part in k.split(".")}))
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("30s") | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)


PLACES = st.integers(0, len(SINGLE_EXAMPLE))
TEXTS = st.one_of(
    st.text(),
    st.lists(TOKENS).map("".join),
    st.dictionaries(NAMES, VALUES).map(json.dumps),
    st.builds(
        lambda a, b, new: SINGLE_EXAMPLE[:a] + new + SINGLE_EXAMPLE[b:], PLACES, PLACES, TOKENS
    ),
)


@given(TEXTS)
@example('a: "\\U00110000"')
@example("%YAML 1.1\n---\na: 1e5\n")
def test_nothing_but_config_errors(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever a file holds, loading it gives a configuration or a ConfigError."""
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    with suppress(ConfigError):
        assert isinstance(load(path), Config)
