"""The walls: what each package may import, what the core may load and cost, and whose names the library may use."""

from __future__ import annotations

import ast
import os
import re
import statistics
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.metadata import requires
from pathlib import Path

import pytest

from fresh_interpreter import PROTOCOLS, loaded_by, run_fresh

TRANSPORTS = PROTOCOLS.parent / "transports"
# The modules that the core may import: none reads a clock, draws a number, opens a file or starts a thread.
ALLOWED = {
    *("__future__", "typing", "collections", "collections.abc", "dataclasses", "enum", "functools", "itertools"),
    *("re", "math", "hashlib", "hmac", "base64", "binascii", "struct", "zlib", "codecs", "datetime"),
    *("urllib.parse", "html.parser", "difflib", "uuid", "msgspec"),
}
# The kit uses hypothesis, so nothing else in the core may import it.
KIT = "modelwire.testing"
FORBIDDEN_NAMES = {"print", "open", "input", "eval", "exec", "breakpoint", "__import__"}
FORBIDDEN_ATTRIBUTES = {"now", "utcnow", "today", "uuid1", "uuid4", "getnode", "import_module"}
# Modules that importing the core may not load.
UNWANTED = {
    *("socket", "ssl", "asyncio", "trio", "anyio", "selectors", "select", "concurrent.futures", "multiprocessing"),
    *("subprocess", "random", "secrets", "logging", "tempfile", "httpx", "httpx2", "httpcore", "h11", "hypothesis"),
    *("http.client", "urllib.request", "email.utils", "importlib.metadata", "queue", "sqlite3", "modelwire_io"),
    *("_socket", "_ssl", "_asyncio", "_posixsubprocess", "threading", "signal", "pty", "ftplib", "smtplib"),
    *("aiohttp", "urllib3", "uvloop", "twisted", "tornado", "gevent", "filelock", "platformdirs"),
}
# Modules of the core that know no provider and no emulator.
GENERAL = ("engine", "formats", "flow", "http", "sse", "errors", "events", "commands", "outputs", "messages", "text")
# A module or package, and one that it may not import.
WALLS = [
    ("modelwire", "modelwire_io"),
    ("modelwire.emulators", "modelwire.providers"),
    ("modelwire.emulators", "modelwire.wires"),
    ("modelwire.providers", "modelwire.emulators"),
    *((f"modelwire.{name}", "modelwire.providers") for name in GENERAL),
    *((f"modelwire.{name}", "modelwire.emulators") for name in GENERAL),
    ("modelwire_io.net", "modelwire_io.transports"),
    ("modelwire_io.net", "modelwire_io.client"),
    ("modelwire_io.net", "modelwire_io.store"),
]
COMMAND_LINE = "modelwire_io.cli"
COMMANDS = sorted(path.stem for path in TRANSPORTS.glob("modelwire_io/cli/commands/[a-z]*.py"))
# Advice to a person at a command line. Python callers read these messages, too, and have no flags.
ADVICE = re.compile(rf"(?<![\w-])--[a-z]|\bmodelwire ({'|'.join(COMMANDS)})\b|\b(shell|command line)\b")
# Arguments of programs that the library starts.
ARGUMENTS = {"modelwire_io.browsers.playwright": {"--disable-sync", "--disable-quic", "--no-proxy-server"}}
# Functions that take the name of a module or an attribute.
BY_NAME = {"import_module", "getattr", "setattr", "hasattr"}
# Documented methods of named tuples, in spite of the underscore.
NAMED_TUPLE = {"_replace", "_asdict", "_fields", "_make"}
# Ratio: CPU time of an interpreter that imports modelwire, to that of a bare one. Measured: 1.05.
MOST_IMPORT_TIME = 1.5
IMPORT_ROUNDS = 7


def root_of(path: Path) -> Path:
    return next(root for root in (PROTOCOLS, TRANSPORTS) if path.is_relative_to(root))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(root_of(path)).with_suffix("").parts).removesuffix(".__init__")


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


MODULES = {module_name(path): path for root in (PROTOCOLS, TRANSPORTS) for path in sorted(root.rglob("*.py"))}
CORE = {name: path for name, path in MODULES.items() if is_in(name, "modelwire") and not is_in(name, KIT)}
core = pytest.mark.parametrize("module", CORE)


def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports(module: str) -> set[str]:
    """The names that a module imports: absolute, and down to the imported name."""
    return set(imports_of(tree_of(module), module, is_package=MODULES[module].name == "__init__.py"))


def imports_of(tree: ast.Module, module: str, *, is_package: bool = False) -> Iterator[str]:
    package = module.split(".")[: None if is_package else -1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            target = ".".join([*base, *([node.module] if node.module else [])])
            yield target
            if is_in(target, "modelwire") or is_in(target, "modelwire_io"):
                # `from modelwire.providers import arta` names a module, too.
                yield from (f"{target}.{alias.name}" for alias in node.names)


@core
def test_the_core_imports_only_modules_of_the_list(module: str) -> None:
    foreign = {name for name in imports(module) if not is_in(name, "modelwire") and not is_in(name, "msgspec")}
    assert foreign - ALLOWED == set()


@core
def test_the_core_does_not_import_the_testing_kit(module: str) -> None:
    assert not [name for name in imports(module) if is_in(name, KIT)]


@core
def test_no_clock_no_randomness_no_output(module: str) -> None:
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_NAMES, f"line {node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            # `self.now` is allowed: it is the time that the caller gave.
            is_module = node.value.id in ("datetime", "date", "uuid", "time", "importlib")
            assert not (is_module and node.attr in FORBIDDEN_ATTRIBUTES), f"line {node.lineno}"


def test_imports_are_found_inside_functions_and_through_relative_names() -> None:
    tree = ast.parse(
        "def f():\n    import socket\n    from ..testing import kit\n    from modelwire import emulators\n"
    )
    assert set(imports_of(tree, "modelwire.providers.bad")) >= {"socket", "modelwire.testing", "modelwire.emulators"}


@pytest.mark.parametrize(("package", "forbidden"), WALLS)
def test_a_package_does_not_import_another(package: str, forbidden: str) -> None:
    inside = [module for module in MODULES if is_in(module, package)]
    assert inside
    assert [(module, name) for module in inside for name in imports(module) if is_in(name, forbidden)] == []


def test_only_the_command_line_imports_the_command_line() -> None:
    outside = [module for module in MODULES if not is_in(module, COMMAND_LINE)]
    assert [(module, name) for module in outside for name in imports(module) if is_in(name, COMMAND_LINE)] == []


def test_packages_do_not_import_each_other_in_a_circle() -> None:
    """A folder counts as one, and so does each module at the top. `CycleError` names the circle."""
    imported: dict[str, set[str]] = {}
    for module in MODULES:
        own = top_of(module)
        found = {top_of(name) for name in imports(module) if name in MODULES}
        imported.setdefault(own, set()).update(found - {own, "modelwire", "modelwire_io"})
    order = list(TopologicalSorter(imported).static_order())
    assert order.index("modelwire.errors") < order.index("modelwire.providers") < order.index("modelwire_io.cli")


def top_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("module", [module for module in MODULES if not is_in(module, COMMAND_LINE)])
def test_only_the_command_line_names_a_command_or_a_flag(module: str) -> None:
    advice = [text for text in strings_of(tree_of(module)) if ADVICE.search(text)]
    assert set(advice) - ARGUMENTS.get(module, set()) == set()


@pytest.mark.parametrize("text", ["use --port 0", "--headless", "see 'modelwire jobs'", "run modelwire login hailuo"])
def test_advice_is_recognised(text: str) -> None:
    tree = ast.parse(f'def f(port):\n    """Docstrings may name --flags."""\n    return f"{{port}} {text}"\n')
    assert [found for found in strings_of(tree) if ADVICE.search(found)] == [f" {text}"]


def strings_of(tree: ast.AST) -> Iterator[str]:
    """The string constants that are not docstrings."""
    bodies = (getattr(node, "body", None) for node in ast.walk(tree))
    statements = [statement for body in bodies if isinstance(body, list) for statement in body]
    docstrings = {id(statement.value) for statement in statements if isinstance(statement, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.mark.parametrize("module", MODULES)
def test_no_private_name_of_another_library_is_used(module: str) -> None:
    assert foreign_private_names(tree_of(module)) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("pool._backend = 1", ["pool._backend"]),
        ("import _socket", ["_socket"]),
        ("from httpcore._backends.sync import SyncStream", ["httpcore._backends.sync.SyncStream"]),
        ("from asyncio import _get_running_loop", ["asyncio._get_running_loop"]),
        ("import_module('httpcore._backends.sync')", ["httpcore._backends.sync"]),
        ("getattr(pool, '_backend')", ["_backend"]),
        ("class A:\n    def f(self, other):\n        self._x = other._x", []),
        ("class A:\n    _x: int\ndef f(a: A): return a._x, a.__class__, a._replace(b=1)", []),
        ("def f(stream: zlib._Decompress) -> zlib._Decompress: ...", []),
    ],
)
def test_private_names_are_recognised(source: str, found: list[str]) -> None:
    assert foreign_private_names(ast.parse(source)) == found


def foreign_private_names(tree: ast.Module) -> list[str]:
    """Private names that a file uses and does not define itself.

    A private name begins with an underscore. As an attribute it may be used on `self` and `cls`, and on any object if
    a class of the same file has an attribute of that name. Annotations are left out: they are not evaluated.
    """
    nodes = list(ast.walk(Unannotated().visit(tree)))
    own = set().union(*(own_attributes(node) for node in nodes if isinstance(node, ast.ClassDef)))
    found = []
    for node in nodes:
        if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own | NAMED_TUPLE:
            if ast.unparse(node.value) not in ("self", "cls"):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0):
            module = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names = [".".join([*module, alias.name]) for alias in node.names]
            foreign = [name for name in names if name.split(".")[0] not in ("modelwire", "modelwire_io")]
            found += [name for name in foreign if any(map(is_private, name.split(".")))]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in BY_NAME:
            texts = [text for argument in node.args for text in strings_of(argument)]
            found += [text for text in texts if any(map(is_private, text.split("."))) and text not in own]
    return found


def own_attributes(definition: ast.ClassDef) -> set[str]:
    """The attributes that a class defines: in its body, or on `self`."""
    found = set()
    for node in ast.walk(definition):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
    return found


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


class Unannotated(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)


# Imports each module as if it were the first.
ONE_BY_ONE = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    for loaded in [loaded for loaded in sys.modules if loaded.split(".")[0] == "modelwire"]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""


def test_importing_the_package_loads_nothing_else() -> None:
    assert loaded_by("modelwire") == {"modelwire"}


def test_importing_every_module_loads_nothing_that_does_io() -> None:
    loaded = loaded_by(*CORE)
    assert loaded >= set(CORE)
    # msgspec makes the interpreter load `_socket`, without `socket`.
    assert loaded & UNWANTED <= loaded_by("msgspec") & {"_socket"}


def test_every_module_can_be_imported_first() -> None:
    run_fresh(ONE_BY_ONE, *CORE)


def test_importing_the_package_takes_hardly_any_time() -> None:
    """CPU time, in turns with that of a bare interpreter, so that other processes on the machine do not count."""
    bare, importing = "pass", "import sys; sys.path.insert(0, sys.argv[1]); import modelwire"
    rounds = [cpu_seconds(importing) / cpu_seconds(bare) for _ in range(IMPORT_ROUNDS)]
    assert statistics.median(rounds) < MOST_IMPORT_TIME, rounds


def cpu_seconds(script: str) -> float:
    """The CPU time of a fresh interpreter that runs a script."""
    command = [sys.executable, "-I", "-c", script, str(PROTOCOLS)]
    _, status, used = os.wait4(os.posix_spawn(sys.executable, command, os.environ), 0)
    assert status == 0
    return used.ru_utime + used.ru_stime


def test_the_core_requires_msgspec_alone() -> None:
    declared = tomllib.loads((PROTOCOLS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "dependencies"
    ]
    assert declared == required_by("modelwire") == ["msgspec>=0.19"]
    assert required_by("msgspec") == []


def required_by(distribution: str) -> list[str]:
    """The requirements of a distribution without its extras."""
    return [requirement for requirement in requires(distribution) or () if "extra ==" not in requirement]
