"""The wall: what the pure half may import and use, and what importing it may load."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "protocols"
FILES = sorted(path for path in ROOT.rglob("*.py"))
# What may be imported behind the wall: nothing that reads a clock, draws a number, opens a file or starts a thread.
ALLOWED = {
    *("__future__", "typing", "collections", "collections.abc", "dataclasses", "enum", "functools", "itertools"),
    *("re", "math", "hashlib", "hmac", "base64", "binascii", "struct", "zlib", "codecs", "datetime"),
    *("urllib.parse", "html.parser", "difflib", "uuid", "msgspec"),
}
# The kit for tests of flows is made of hypothesis. Nothing in modelwire may need it.
EXEMPT = "modelwire.testing"
FORBIDDEN_NAMES = {"print", "open", "input", "eval", "exec", "breakpoint", "__import__"}
FORBIDDEN_ATTRIBUTES = {"now", "utcnow", "today", "uuid1", "uuid4", "getnode", "import_module"}
UNWANTED = {
    *("socket", "ssl", "asyncio", "trio", "anyio", "selectors", "select", "concurrent.futures", "multiprocessing"),
    *("subprocess", "random", "secrets", "logging", "tempfile", "httpx", "httpx2", "httpcore", "h11", "hypothesis"),
    *("http.client", "urllib.request", "email.utils", "importlib.metadata", "queue", "sqlite3", "modelwire_io"),
}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def is_exempt(module: str) -> bool:
    return module == EXEMPT or module.startswith(f"{EXEMPT}.")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports from, with relative ones resolved."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{target}.{alias.name}" for alias in node.names) if target == "modelwire" else [target]
            if target.startswith("modelwire."):
                # `from modelwire.providers import arta` names a module, too.
                yield from (f"{target}.{alias.name}" for alias in node.names)


def behind_the_wall() -> list[Path]:
    return [path for path in FILES if not is_exempt(module_name(path))]


@pytest.mark.parametrize("path", behind_the_wall(), ids=module_name)
def test_only_what_is_on_the_list_is_imported(path: Path) -> None:
    foreign = {name for name in imports(path) if name.split(".")[0] != "modelwire"}
    assert {name for name in foreign if name not in ALLOWED and name.split(".")[0] != "msgspec"} == set()


@pytest.mark.parametrize("path", behind_the_wall(), ids=module_name)
def test_nobody_needs_the_testing_kit(path: Path) -> None:
    assert not [name for name in imports(path) if is_exempt(name)]


@pytest.mark.parametrize("path", behind_the_wall(), ids=module_name)
def test_no_clock_no_randomness_no_output(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_NAMES, f"line {node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            # `self.now` is the clock that a flow was given.
            is_module = node.value.id in ("datetime", "date", "uuid", "time", "importlib")
            assert not (is_module and node.attr in FORBIDDEN_ATTRIBUTES), f"line {node.lineno}"


def test_a_file_that_looks_over_the_wall_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    file = tmp_path / "modelwire" / "providers" / "bad.py"
    file.parent.mkdir(parents=True)
    file.write_text("def f():\n    import socket\n    from ..testing import kit\n    from modelwire import emulators\n")
    assert set(imports(file)) >= {"socket", "modelwire.testing", "modelwire.emulators"}


@pytest.mark.parametrize(("one", "other"), [("providers", "emulators"), ("emulators", "providers")])
def test_providers_and_emulators_never_import_each_other(one: str, other: str) -> None:
    found = [
        f"{module_name(path)} imports {name}"
        for path in FILES
        if module_name(path).startswith(f"modelwire.{one}")
        for name in imports(path)
        if name.startswith(f"modelwire.{other}")
    ]
    assert found == []


def test_the_engine_knows_no_provider() -> None:
    own = {"flow", "http", "sse", "retry", "errors", "events", "commands", "outputs", "messages", "cookies", "text"}
    for path in FILES:
        if path.parent.name == "modelwire" and path.stem in own:
            assert not [name for name in imports(path) if "providers" in name or "emulators" in name]


LOADER = """
import importlib, json, sys
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def loaded_by(*modules: str) -> set[str]:
    """What a fresh interpreter loads for these modules, beyond what it starts with."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))}
    command = [sys.executable, "-I", "-c", LOADER, str(ROOT), *modules]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    names: list[str] = json.loads(result.stdout)
    return set(names)


def test_importing_the_package_loads_next_to_nothing() -> None:
    assert loaded_by("modelwire") == {"modelwire"}


def test_importing_every_module_loads_nothing_that_does_io() -> None:
    modules = [module_name(path) for path in behind_the_wall()]
    loaded = loaded_by(*modules)
    assert loaded >= set(modules)
    assert loaded & UNWANTED == set()
