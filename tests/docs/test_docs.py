"""The documentation is true: its code runs, its tables equal the source, its pictures are current.

The Python blocks of a page share one namespace and run in order, offline: environment variables give every provider
the address of an emulator, and files go to a temporary folder. A block with the option `:caption: NAME.py` is also
appended to that file. Functions named `test_*` in a block are called.
"""

from __future__ import annotations

import ast
import asyncio
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import partial
from importlib import import_module
from io import BytesIO, StringIO, TextIOWrapper
from itertools import takewhile
from pathlib import Path
from shutil import copy
from types import ModuleType
from typing import Any, NamedTuple, get_args
from xml.etree import ElementTree

import click
import msgspec
import pytest

import modelwire_io.emulation.server
from doc_pages import DOCS, FENCE, PAGES, ROOT, Block, blocks_of, first_column, table_after
from modelwire.catalog import PROVIDERS
from modelwire.chat import ChatFlow
from modelwire.commands import Command
from modelwire.download import ImageDownload
from modelwire.emulators import Behaviour
from modelwire.errors import EXCEPTIONS
from modelwire.events import Event, RequestFailureKind, Start
from modelwire.limits import KIB, MIB, Limits
from modelwire.outputs import Output
from modelwire.provider import Provider, options_type
from modelwire.providers.arta import ArtaImage
from modelwire.providers.cromicle import CromicleChat
from modelwire_io.cli.command import cli, run
from modelwire_io.client.settings import Configuration
from modelwire_io.emulation import EmulatorServer

QUICK = Behaviour(pause=0.0, queue=0.0, work=0.0)


@pytest.fixture(scope="module")
def emulators() -> Iterator[EmulatorServer]:
    with EmulatorServer(behaviour=QUICK) as server:
        yield server


@pytest.fixture
def offline(emulators: EmulatorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send every request to the emulators, and write every file to a temporary folder."""
    for name, url in emulators.providers.items():
        monkeypatch.setenv(f"{name.upper()}_BASE_URL", url)
    monkeypatch.setenv("ARTA_API_KEY", "emulated-key")
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    # `emulate=True` starts its own emulators, which should be as quick.
    monkeypatch.setattr(modelwire_io.emulation.server, "EmulatorServer", partial(EmulatorServer, behaviour=QUICK))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))


def run_block(block: Block, page: Path, namespace: dict[str, Any]) -> None:
    """Run one block, then the tests that it defines. A traceback names the line of the page."""
    before = set(namespace)
    if block.file:
        with Path(block.file).open("a", encoding="utf-8") as file:
            file.write(block.text + "\n")
    source = "\n" * (block.line - 1) + block.text
    exec(compile(source, str(page), "exec", dont_inherit=True), namespace)
    for name in sorted(set(namespace) - before):
        if name.startswith("test_"):
            namespace[name]()


class Pages:
    """Runs pages, each in its own namespace, and closes what they left open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._namespaces: list[dict[str, Any]] = []

    def open(self, page: Path) -> dict[str, Any]:
        """The namespace of a page. It is that of a module, so that classes defined in it have a module."""
        module = ModuleType(f"page_{page.stem.replace('-', '_')}")
        self._monkeypatch.setitem(sys.modules, module.__name__, module)
        self._namespaces.append(vars(module))
        return vars(module)

    def close(self) -> None:
        """Close servers, threads and loops of a page that failed in the middle."""
        for left in [value for namespace in self._namespaces for value in namespace.values()]:
            if isinstance(left, ExitStack | asyncio.AbstractEventLoop):
                left.close()
            elif isinstance(getattr(left, "threads", None), ThreadPoolExecutor):
                left.threads.shutdown()
        sys.modules.pop("modelwire_parrot", None)


@pytest.fixture
def pages(offline: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    running = Pages(monkeypatch)
    yield running
    running.close()


@pytest.fixture(scope="module")
def parrot_installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the guide's template looks like an installed package, with the entry points of the page."""
    folder = tmp_path_factory.mktemp("installed")
    (block,) = blocks_of(DOCS / "writing-a-provider.md", "toml")
    project = tomllib.loads(block.text)["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    lines = [f"[{group}]" for group in project["entry-points"]]
    for entries in project["entry-points"].values():
        lines += [f"{name} = {target}" for name, target in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8")
    copy(DOCS / "provider_template.py", folder / "modelwire_parrot.py")
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES[1:] if blocks_of(page, "python")], ids=lambda page: page.name)
def test_the_python_of_a_page_runs(
    page: Path, pages: Pages, monkeypatch: pytest.MonkeyPatch, parrot_installed: Path
) -> None:
    monkeypatch.syspath_prepend(str(parrot_installed))
    namespace = pages.open(page)
    for block in blocks_of(page, "python"):
        run_block(block, page, namespace)


def test_the_python_of_the_readme_runs(pages: Pages) -> None:
    """Blocks of the guide on embedding define the names that the README's loop uses (`http`, `loop`, `flow`, ...)."""
    guide = DOCS / "embedding.md"
    setup = list(takewhile(lambda block: "\npump(Start(" not in block.text, blocks_of(guide, "python")))
    namespace = pages.open(PAGES[0])
    for block in blocks_of(PAGES[0], "python"):
        if "def pump" in block.text:
            for given in setup:
                run_block(given, guide, namespace)
        run_block(block, PAGES[0], namespace)
        if "def pump" in block.text:
            namespace["loop"].run_forever()
            assert namespace["ends"] == [None]
    assert "ends" in namespace
    assert len(list(Path("pictures").glob("arta-*.png"))) == 2
    # The README's own Cromicle flow gives the same request as ours.
    [ours] = namespace["CromicleChat"](messages="Hello").handle(Start(bytes(32)), 0.0)
    [theirs] = CromicleChat(messages="Hello").handle(Start(bytes(32)), 0.0)
    assert ours == theirs


def test_every_block_is_of_a_language_that_is_known() -> None:
    known = {"python", "sh", "console", "text", "toml", "{toctree}", "{image} demo.svg", "{eval-rst}"}
    known |= {"{include} ../CHANGELOG.md", "{code-block} python"}
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        assert {match["info"].strip() for match in FENCE.finditer(page.read_text(encoding="utf-8"))} <= known, page.name


class Line(NamedTuple):
    """One `modelwire` command on a page, and its stdin."""

    page: str
    arguments: list[str]
    stdin: str


def command_lines() -> Iterator[Line]:
    """Every line of the pages' console blocks."""
    for page in PAGES:
        for block in blocks_of(page, "console"):
            for line in block.text.splitlines():
                assert line.startswith("$ "), f"{page.name}: {line}"
                given, _, command = line.removeprefix("$ ").rpartition(" | ")
                words = shlex.split(command)
                assert words[0] == "modelwire", f"{page.name}: {line}"
                yield Line(page.name, words[1:], given.removeprefix("echo ").strip('"'))


LINES = list(command_lines())


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.page} {shlex.join(line.arguments)}")
def test_a_command_line_parses(line: Line) -> None:
    """Every option of the line exists, with a valid value."""
    name, *arguments = line.arguments
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    with command.make_context(name, list(arguments)):
        pass


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    "line",
    [line for line in LINES if "--emulate" in line.arguments or line.arguments[0] == "models"],
    ids=lambda line: f"{line.page} {shlex.join(line.arguments)}",
)
def test_a_command_line_works(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(line.stdin.encode())))
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        assert run(line.arguments) == 0, err.getvalue()
    assert out.getvalue().strip()


def test_the_readme_has_two_commands_for_a_bare_machine() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    commands = re.findall(r"^python3 -m venv .*$", text, re.MULTILINE)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert [command.rpartition("&& ")[2] for command in commands] == [
        ".venv/bin/modelwire demo",
        ".venv/bin/python -m pytest -n auto",
    ]
    assert all(re.findall(r"\.\[(\w+)\]", command)[0] in extras for command in commands)


def options_of(command: click.Command) -> set[str]:
    """The options of a command, without those of every command."""
    context = click.Context(command)
    found = {name for option in command.get_params(context) if isinstance(option, click.Option) for name in option.opts}
    return found - {"-h", "--help", "--debug"}


def test_the_manual_has_every_command_and_every_option() -> None:
    page = DOCS / "cli.md"
    headings = re.findall(r"^## modelwire (\w+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    context = click.Context(cli)
    assert headings == cli.list_commands(context)
    documented = {name for cell in first_column(page, "## modelwire") for name in re.findall(r"-{1,2}[\w-]+", cell)}
    assert documented == options_of(cli) | {"-h", "--help", "--debug"}
    for heading in headings:
        command = cli.get_command(context, heading)
        assert command is not None
        assert {cell.split()[0] for cell in first_column(page, f"## modelwire {heading}")} == options_of(command)


def test_the_manual_has_every_variable_of_a_provider() -> None:
    documented = first_column(DOCS / "cli.md", "## Environment")
    assert {
        name for provider in PROVIDERS.values() for names in provider.environment.values() for name in names
    } <= set(documented)


def test_the_quickstart_has_every_setting_of_a_client() -> None:
    assert set(first_column(DOCS / "quickstart.md", "## The settings of a client")) == {
        *Configuration.__annotations__,
        "transport",
    }


def test_the_quickstart_has_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert first_column(DOCS / "quickstart.md", "## Install") == ["none", *extras]


def as_shown(name: str, value: object) -> str:
    """The default of a limit, as the page shows it."""
    if name == "total":
        chat, job = ChatFlow.default_timeout, ArtaImage.default_timeout
        return f"{chat:g} s for a chat, {job:g} s for a job, {ImageDownload.default_timeout:g} s for a download"
    if isinstance(value, float):
        return f"{value:g} s"
    assert isinstance(value, int)
    if value % KIB:
        return str(value)
    return f"{value // MIB} MiB" if value % MIB == 0 else f"{value // KIB} KiB"


def test_the_table_of_limits_is_current() -> None:
    documented = {row[0].strip("`"): row[1] for row in table_after(DOCS / "security.md", "## Limits")}
    limits = msgspec.structs.asdict(Limits())
    assert documented == {name: as_shown(name, value) for name, value in limits.items() if name != "headers"} | {
        "headers": str(limits["headers"])
    }


@pytest.mark.parametrize(
    ("heading", "kinds"),
    [
        ("### Events: what happened", get_args(Event)),
        ("### Commands: what to do", get_args(Command)),
        ("### Outputs: what to tell the user", get_args(Output)),
    ],
)
def test_the_tables_of_the_boundary_are_current(heading: str, kinds: tuple[type[msgspec.Struct], ...]) -> None:
    rows = table_after(DOCS / "embedding.md", heading)
    documented = {row[0].strip("`"): re.findall(r"`(\w+)`", row[1]) for row in rows}
    fields = {kind.__name__: [field.name for field in msgspec.structs.fields(kind)] for kind in kinds}
    if heading.startswith("### Outputs"):
        assert list(documented) == list(fields)
    assert documented == fields


def test_the_tables_of_kinds_are_current() -> None:
    page = DOCS / "embedding.md"
    assert {row[0].strip("`"): row[1].strip("`") for row in table_after(page, "## Failures are data")} == {
        kind: error.__name__ for kind, error in EXCEPTIONS.items()
    }
    text = page.read_text(encoding="utf-8").partition("is one of four:")[2]
    assert re.findall(r"^\| `(\w+)` \|", text.partition("\n\n###")[0], re.MULTILINE)[:4] == list(
        get_args(RequestFailureKind)
    )


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)
@pytest.mark.parametrize("what", ["options", "endpoints"])
def test_the_wires_have_every_option_and_endpoint(provider: Provider, what: str) -> None:
    rows = table_after(DOCS / "wires.md", f"### {provider.label} {what}")
    documented = {row[0].strip("`"): row[1].strip("`") for row in rows}
    (flow,) = provider.flows.values()
    defaults = msgspec.structs.asdict(provider.endpoints if what == "endpoints" else options_type(flow)())
    assert documented == {name: "" if value is None else str(value) for name, value in defaults.items()}


def test_the_wires_have_every_model_of_arta() -> None:
    rows = table_after(DOCS / "wires.md", "### ARTA models")
    pairs = [pair for row in rows for pair in (row[:2], row[2:]) if pair[0]]
    text = (DOCS / "wires.md").read_text(encoding="utf-8").partition("Names beyond that rule:")[2]
    others = re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)
    assert ArtaImage.models is not None
    assert {alias.strip("`"): (style,) for alias, style in pairs} == {
        alias: styles for alias, styles in ArtaImage.models.items() if alias not in others
    }
    assert set(others) <= set(ArtaImage.models)


def test_the_pages_say_which_services_still_respond() -> None:
    said = {"gone": "No longer.", "unknown": "Not known"}
    for rows in (table_after(PAGES[0], "## Which services answer"), table_at_top(DOCS / "wires.md")):
        documented = {name: row[2] for row in rows for name in re.sub(r"\[(.+)\]\(.*\)", r"\1", row[0]).split(", ")}
        for provider in PROVIDERS.values():
            assert documented[provider.label].startswith(said[provider.status]), provider.name


def table_at_top(page: Path) -> list[list[str]]:
    """The first table of a page."""
    return table_after(page, page.read_text(encoding="utf-8").split("\n\n")[1].splitlines()[0])


def public_modules() -> Iterator[str]:
    """The public modules: those at the top of a package, the folders that export names (`__all__`), the providers."""
    for top in (ROOT / "protocols" / "modelwire", ROOT / "transports" / "modelwire_io"):
        yield from (f"{top.name}.{path.stem}" for path in top.glob("[a-z]*.py"))
        yield from (f"{top.name}.{face.parent.name}" for face in top.glob("*/__init__.py") if exported_by(face))
    yield from (f"modelwire.providers.{path.stem}" for path in ROOT.glob("protocols/modelwire/providers/[a-z]*.py"))


def exported_by(face: Path) -> list[str]:
    """The names in `__all__` of a file."""
    for node in ast.parse(face.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    return []


def test_the_reference_has_exactly_the_public_modules() -> None:
    named = re.findall(r"^\.\. automodule:: (\S+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(public_modules())


def test_the_reference_lists_every_name_of_a_lazy_package() -> None:
    """Such names are imported when they are first used, so `automodule` does not find them."""
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    for module, members in re.findall(
        r"^\.\. automodule:: (\S+)\n   :no-members:\n((?:.*\n)*?)```", page, re.MULTILINE
    ):
        listed = re.findall(rf"^\.\. auto(?:class|function):: {module}\.(\w+)$", members, re.MULTILINE)
        assert listed == import_module(module).__all__, module


def test_the_state_diagrams_are_current() -> None:
    check = [sys.executable, str(DOCS / "tools" / "state_diagrams.py"), "--check"]
    assert subprocess.run(check, capture_output=True, text=True, check=False).stderr == ""


@pytest.mark.parametrize("picture", sorted([*DOCS.glob("*.svg"), *DOCS.glob("states/*.svg")]), ids=lambda p: p.name)
def test_a_picture_is_whole_and_can_be_read_aloud(picture: Path) -> None:
    root = ElementTree.fromstring(picture.read_text(encoding="utf-8"))
    named = {child.get("id"): child.text for child in root}
    assert all(named[name] for name in (root.get("aria-labelledby") or "").split())
    assert root.get("role") == "img"
    assert "http" not in re.sub(r'xmlns="[^"]*"|http://127.0.0.1:\d+', "", picture.read_text(encoding="utf-8"))


def test_links_between_pages_lead_somewhere() -> None:
    """Sphinx checks the links between the pages of `docs`. These pages are not built by Sphinx."""
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
            path, _, anchor = target.partition("#")
            assert (ROOT / path).exists(), target
            titles = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
            assert not anchor or anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
