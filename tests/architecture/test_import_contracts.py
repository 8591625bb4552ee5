"""The dependency rules are there, and they hold."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def contracts() -> dict[str, dict[str, object]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {c["id"]: c for c in settings["tool"]["importlinter"]["contracts"]}


def test_the_layers_are_those_of_the_plan():
    """A contract that nobody wrote would hold, too: so the contracts themselves are tested."""
    assert contracts()["inwards"]["layers"] == ["entrypoints", "adapters | application", "domain"]
    assert set(contracts()) == {
        "inwards",
        "pure-domain",
        "application",
        "independent-adapters",
        "independent-sources",
        "untyped-storage",
        "composition-root",
        "one-di-user",
    }


def test_every_entrypoint_but_the_root_and_the_configuration_is_kept_from_adapters():
    """A new module of entrypoints has to be put under the contract."""
    held = contracts()["composition-root"]["source_modules"]
    modules = {f"entrypoints.{path.stem}" for path in (ROOT / "entrypoints").iterdir()}
    free = {m for m in modules if m.startswith(("entrypoints.config", "entrypoints.__"))}
    assert modules - free - {"entrypoints.container"} <= set(held)


def test_every_contract_is_kept(tmp_path):
    """import-linter finds no import against the rules."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
