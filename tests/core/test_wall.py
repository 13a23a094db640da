"""The wall: what the pure half may import and use, what importing it may load and cost, and what it has installed."""

from __future__ import annotations

import ast
import os
import statistics
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest

from fresh_interpreter import PROTOCOLS as ROOT
from fresh_interpreter import loaded_by, run_fresh

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
    *("_socket", "_ssl", "_asyncio", "_posixsubprocess", "threading", "signal", "pty", "ftplib", "smtplib"),
    *("aiohttp", "urllib3", "uvloop", "twisted", "tornado", "gevent", "filelock", "platformdirs"),
}
# How many times the start of a bare interpreter the start with `import modelwire` may take. It takes 1.05.
MOST_IMPORT_TIME = 1.5
IMPORT_ROUNDS = 7


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


# Each as if it were the first.
ONE_BY_ONE = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    for loaded in [loaded for loaded in sys.modules if loaded.split(".")[0] == "modelwire"]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""


def test_importing_the_package_loads_next_to_nothing() -> None:
    assert loaded_by("modelwire") == {"modelwire"}


def test_importing_every_module_loads_nothing_that_does_io() -> None:
    modules = [module_name(path) for path in behind_the_wall()]
    loaded = loaded_by(*modules)
    assert loaded >= set(modules)
    # msgspec has the interpreter load `_socket`, without `socket`.
    assert loaded & UNWANTED <= loaded_by("msgspec") & {"_socket"}


def test_every_module_can_be_imported_first() -> None:
    run_fresh(ONE_BY_ONE, *map(module_name, behind_the_wall()))


def test_importing_the_package_takes_next_to_no_time() -> None:
    """CPU time, in turns with that of a bare interpreter: another process on the machine counts for neither."""
    bare, importing = "pass", "import sys; sys.path.insert(0, sys.argv[1]); import modelwire"
    rounds = [cpu_seconds(importing) / cpu_seconds(bare) for _ in range(IMPORT_ROUNDS)]
    assert statistics.median(rounds) < MOST_IMPORT_TIME, rounds


def cpu_seconds(script: str) -> float:
    """CPU time of a fresh interpreter that runs a script."""
    command = [sys.executable, "-I", "-c", script, str(ROOT)]
    _, status, used = os.wait4(os.posix_spawn(sys.executable, command, os.environ), 0)
    assert status == 0
    return used.ru_utime + used.ru_stime


def test_the_core_has_msgspec_installed_and_nothing_else() -> None:
    declared = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert declared == needed_by("modelwire") == ["msgspec>=0.19"]
    assert needed_by("msgspec") == []


def needed_by(distribution: str) -> list[str]:
    """What is installed with it when no extra is asked for."""
    return [requirement for requirement in requires(distribution) or () if "extra ==" not in requirement]
