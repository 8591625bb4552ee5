"""Webhooks in a configuration."""

from pathlib import Path

import pytest

from application.change_details import SHOWN
from domain.change import ChangeClass
from domain.errors import ConfigError
from domain.identifiers import RegistryName, WebhookName
from entrypoints.config import Config, load
from entrypoints.config_webhooks import WebhookConfig

ONE = "source: {type: file, file: {path: r.json}}\n"
HOOK = "name: hook, url: 'https://hooks.example.com/x', secretFile: secret"


def read(directory: Path, text: str) -> Config:
    """The configuration of a file in that directory."""
    (directory / "annals.yaml").write_text(text)
    return load(directory / "annals.yaml")


def problems(directory: Path, text: str) -> list[str]:
    """The key and the message of each problem."""
    with pytest.raises(ConfigError) as caught:
        read(directory, text)
    return [f"{problem.key}: {problem.message}" for problem in caught.value.problems]


def test_everything_about_a_webhook(tmp_path: Path) -> None:
    """In both forms; the path of the secret is taken from the directory of the file."""
    hooks = f"""
webhooks:
  - {{{HOOK}, registries: [team], classes: [inputs, execution], entries: true}}
  - {{name: b, url: 'http://[::1]:8080/', secretFile: /run/secret}}
"""
    full = """
sources: [{name: a, file: {path: r.json}}]
registries: [{name: team, sources: [a]}]
"""
    expected = (
        WebhookConfig(
            name=WebhookName("hook"),
            url="https://hooks.example.com/x",
            secret_file=str(tmp_path / "secret"),
            registries=(RegistryName("team"),),
            classes=(ChangeClass.INPUTS, ChangeClass.EXECUTION),
            entries=True,
        ),
        WebhookConfig(name=WebhookName("b"), url="http://[::1]:8080/", secret_file="/run/secret"),
    )
    assert read(tmp_path, full + hooks).webhooks == expected
    assert read(tmp_path, f"registryName: team\n{ONE}{hooks}").webhooks == expected
    assert set(expected[1].classes) == SHOWN
    assert read(tmp_path, ONE).webhooks == ()


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ("name: hook", "webhooks[0].url: missing: expected text"),
        (HOOK.replace("hook,", "Hook!,", 1), "webhooks[0].name: 'Hook!' is not a webhook name"),
        (HOOK.replace("https:", "ftp:"), "webhooks[0].url: expected an address that starts with"),
        (HOOK.replace("hooks.example.com", ""), "webhooks[0].url: expected an address that"),
        (HOOK.replace("/x", "/x y"), "webhooks[0].url: expected an address that starts with"),
        (HOOK.replace("/x", "/#x"), "webhooks[0].url: expected an address that starts with"),
        (HOOK.replace(".com", ".com:x"), "webhooks[0].url: expected an address that starts with"),
        (HOOK.replace("//", "//u:p@"), "webhooks[0].url: expected an address without user name"),
        (f"{HOOK}, classes: []", "webhooks[0].classes: expected at least one class"),
        (f"{HOOK}, classes: [all]", "webhooks[0].classes[0]: expected execution or inputs or"),
        (f"{HOOK}, secret: x", "webhooks[0].secret: unknown key: a secret never stands in"),
        (
            f"{HOOK}, registries: [team, default, default]",
            "webhooks[0].registries[0]: no such registry: expected one of `default`",
        ),
        (
            f"{HOOK}, registries: [default, default]",
            "webhooks[0].registries[1]: listed twice: leave one of them out",
        ),
        (f"{HOOK}}}, {{{HOOK}", "webhooks[1].name: already used above: expected a name"),
    ],
)
def test_problems_of_webhooks(tmp_path: Path, hook: str, expected: str) -> None:
    """The problem says what was expected, without what may be secret."""
    found = problems(tmp_path, f"{ONE}webhooks: [{{{hook}}}]\n")
    assert any(problem.startswith(expected) for problem in found), found
    assert "u:p" not in str(found)
