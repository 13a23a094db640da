"""The examples of docs/examples, each as a process, with emulators and with faulty servers."""

from __future__ import annotations

import ast
import io
import os
import re
import socket
import ssl
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from modelwire.emulators import Behaviour
from modelwire.emulators.parts.model_answers import answer_to
from modelwire_io.emulation import EmulatorServer
from raw_server import Connection, RawServer, chunk, refusing_url, response

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "common")
LIBRARIES = {
    "gevent_loop": "gevent",
    "qt_loop": "PySide6",
    "tornado_loop": "tornado",
    "trio_loop": "trio",
    "twisted_loop": "twisted",
}
PAGE = ROOT / "docs" / "examples.md"
MOST_LINES = 45

# Seconds: the most for one process. Each needs a few.
PATIENCE = 20.0
QUICK = Behaviour(pause=0.005, queue=0.2, work=0.2)
# A whole chat takes longer than the limit for idle.
SLOW = Behaviour(pause=0.05, queue=0, work=0)
PROMPT = "Grüße"


class Ended(NamedTuple):
    """The exit status and output of a process."""

    status: int
    output: str
    errors: str

    @property
    def sections(self) -> list[str]:
        """The output of each flow, without its heading."""
        return re.split(r"^--- .*\n", self.output, flags=re.MULTILINE)[1:]

    @property
    def kinds(self) -> list[str]:
        """The ending of each flow: `done`, or the kind of its failure."""
        return re.findall(r"^\[(\w+)", self.output, flags=re.MULTILINE)


class Running:
    """A running example."""

    def __init__(self, example: str, url: str, *arguments: str, **environment: str) -> None:
        folders = os.pathsep.join(str(ROOT / name) for name in ("protocols", "transports"))
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-X", "utf8", "-W", "default::ResourceWarning", FOLDER / f"{example}.py"),
                *(url, "--prompt", PROMPT, *arguments),
            ],
            env={**os.environ, "PYTHONPATH": folders, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    @cached_property
    def ended(self) -> Ended:
        """Wait until the process ends."""
        output, errors = self._process.communicate(timeout=PATIENCE)
        return Ended(self._process.returncode, output, errors)

    def close(self) -> None:
        """Kill the process if it still runs, and close its streams."""
        self._process.kill()
        with self._process:
            pass


class Runs(NamedTuple):
    """An example, run with several servers at the same time. Each test waits for its own run."""

    example: str
    emulators: EmulatorServer
    answered: Running
    slow: EmulatorServer
    woken_early: Running
    late: RawServer
    out_of_time: Running
    broken: RawServer
    failing: Running
    refused: Running
    unanswered: Running
    secure: RawServer
    trusting: Running
    doubtful: RawServer
    doubting: Running


@pytest.fixture(scope="module", params=EXAMPLES)
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    example: str = request.param
    if find_spec(LIBRARIES.get(example, "modelwire")) is None:
        pytest.skip(f"{LIBRARIES[example]} is not installed")
    authority = trustme.CA()
    trusted = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)

    with ExitStack() as stack:

        def start(url: str, *arguments: str, **environment: str) -> Running:
            running = Running(example, url, *arguments, **environment)
            stack.callback(running.close)
            return running

        def check_first_connection(connection: Connection) -> None:
            """Send nothing. Check that the first connection is closed already, before the process ends."""
            connection.read_request()
            assert late.connections[0].saw_end.wait(0.2), "an aborted connection is still open"
            connection.wait_for_end()

        emulators = stack.enter_context(EmulatorServer(behaviour=QUICK))
        slow = stack.enter_context(EmulatorServer(behaviour=SLOW))
        late = stack.enter_context(RawServer(drip_comments, drip_a_head, check_first_connection))
        broken = stack.enter_context(RawServer(cut_off, send_no_http, fall_silent))
        secure = stack.enter_context(RawServer(*[not_found] * 3, tls=tls))
        doubtful = stack.enter_context(RawServer(*[not_found] * 3, tls=tls))
        refusing = stack.enter_context(refusing_url())
        full_queue = stack.enter_context(full_queue_url())
        yield Runs(
            example,
            emulators,
            start(emulators.url),
            slow,
            start(slow.url, "--idle", "1.0"),
            late,
            start(late.url, "--timeout", "0.5"),
            broken,
            start(broken.url, "--tries", "1", "--silence", "0.3"),
            start(refusing, "--tries", "1"),
            start(full_queue, "--timeout", "0.5"),
            secure,
            start(secure.url, "--tries", "1", SSL_CERT_FILE=str(trusted)),
            doubtful,
            start(doubtful.url, "--tries", "1"),
        )


def drip_comments(connection: Connection) -> None:
    """Send a stream of comments without content."""
    connection.read_request()
    connection.send(response("Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
    connection.drip(chunk(b":\n\n"), every=0.02)


def drip_a_head(connection: Connection) -> None:
    """Send an endless head of a response."""
    connection.read_request()
    connection.send(b"HTTP/1.1 200 OK\r\n")
    connection.drip(b"X-Padding: x\r\n", every=0.02)


def send_nothing(connection: Connection) -> None:
    """Read the request, and send nothing."""
    connection.read_request()
    connection.wait_for_end()


def fall_silent(connection: Connection) -> None:
    """Send the head of a response, and nothing more."""
    connection.respond(response("Content-Length: 100"))
    connection.wait_for_end()


def cut_off(connection: Connection) -> None:
    """Close in the middle of a body."""
    connection.respond(response("Content-Type: text/event-stream", "Content-Length: 100", body=b":\n\n"))


def send_no_http(connection: Connection) -> None:
    """Send a response that is not HTTP."""
    connection.respond(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n")


@contextmanager
def full_queue_url() -> Iterator[str]:
    """A URL at which connections are neither accepted nor refused, because its queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def not_found(connection: Connection) -> None:
    """Respond with 404."""
    connection.respond(response("Content-Length: 0", status="404 Not Found"))


def test_a_chat_is_streamed(runs: Runs) -> None:
    chat, _, _ = runs.answered.ended.sections
    said, text = re.fullmatch(r"\(This is (message 1) of chat \d+\.\) (.*)\n\[done\]\n", chat, re.DOTALL).groups()  # type: ignore[union-attr]
    assert (said, text) == ("message 1", answer_to(PROMPT))


def test_an_image_job_is_polled(runs: Runs) -> None:
    _, job, _ = runs.answered.ended.sections
    *states, url, empty, end = job.splitlines()
    shown = [state.split()[0] for state in states]
    # A late poll may miss the status in the middle.
    assert (shown[0], shown[-1], {*shown}) == (
        "Waiting",
        "Generated",
        {"Waiting", "Generating", "Generated"} & {*shown},
    )
    assert re.fullmatch(rf"{runs.emulators.providers['arta']}/images/\w+/0\.png", url)
    assert (empty, end) == ("", "[done]")
    asked = [record for record in runs.emulators.requests if record.target.endswith("/status")]
    assert len(asked) >= len(shown) > 1


def test_a_chat_is_stopped_midway(runs: Runs) -> None:
    _, _, stopped = runs.answered.ended.sections
    text, end = stopped.removesuffix("\n").rsplit("\n", 1)
    assert end == "[cancelled: cancelled by the caller]"
    assert text
    assert answer_to(PROMPT).startswith(text)
    assert len(text) < len(answer_to(PROMPT))
    (record,) = (record for record in runs.emulators.requests if record.provider == "cromicle")
    assert runs.emulators.wait_for(lambda _: record.closed_early is not None)
    assert record.closed_early


def test_no_unexpected_requests(runs: Runs) -> None:
    ended = runs.answered.ended
    assert (ended.status, ended.errors) == (0, "")
    others = [record for record in runs.emulators.requests if record.provider == "arta"]
    assert not any(record.closed_early for record in others)
    for record in runs.emulators.requests:
        names = {name.lower() for name in record.header_names}
        assert not names & {"accept-encoding", "accept-language", "connection", "cookie"}


def test_a_deadline_in_the_middle_of_a_read(runs: Runs) -> None:
    ended = runs.out_of_time.ended
    end = "[timeout: not finished within 0.5 seconds; allow more time, or try again later]\n"
    assert [section.lstrip("\n") for section in ended.sections] == [end, end, end]
    assert (ended.status, ended.errors) == (1, "")
    assert len(runs.late.connections) == 3
    for connection in runs.late.connections:
        assert connection.saw_end.wait(PATIENCE)


def test_a_moved_deadline_does_not_repeat_a_request(runs: Runs) -> None:
    ended = runs.woken_early.ended
    assert (ended.kinds, ended.status) == (["done", "done", "cancelled"], 0)
    assert [record.provider for record in runs.slow.requests] == ["hailuo", "arta", "arta", "arta", "cromicle"]


def test_each_failure_has_its_kind(runs: Runs) -> None:
    ended = runs.failing.ended
    assert ended.kinds == ["network", "protocol", "timeout"]
    assert "no response in time" in ended.sections[2]
    assert (ended.status, ended.errors) == (1, "")
    assert runs.broken.connections[2].saw_end.wait(PATIENCE)


def test_a_refused_connection(runs: Runs) -> None:
    ended = runs.refused.ended
    assert ended.kinds == ["connect", "connect", "connect"]
    assert (ended.status, ended.errors) == (1, "")


def test_a_deadline_while_connecting(runs: Runs) -> None:
    ended = runs.unanswered.ended
    assert ended.kinds == ["timeout", "timeout", "timeout"]
    assert (ended.status, ended.errors) == (1, "")


def test_tls(runs: Runs) -> None:
    if runs.example == "selectors_loop":
        pytest.skip("leaves TLS out")
    if runs.example == "qt_loop":
        pytest.skip("Qt has its own authorities, and ignores SSL_CERT_FILE")
    ended = runs.trusting.ended
    assert ended.kinds == ["status", "status", "status"], ended
    assert ended.errors == ""


def test_nothing_is_sent_to_an_unknown_authority(runs: Runs) -> None:
    ended = runs.doubting.ended
    assert len(ended.kinds) == 3
    assert set(ended.kinds) <= {"connect", "network"}
    assert not any(connection.received for connection in runs.doubtful.connections)


def test_no_frame_of_the_game_is_blocked() -> None:
    counting = """
import atexit, runpy, sys, time
frames, sleep = [], time.sleep
time.sleep = lambda seconds: (frames.append(0), sleep(seconds))
atexit.register(lambda: print(len(frames), "frames"))
sys.path.insert(0, sys.argv[1].rpartition("/")[0])
del sys.argv[0]
runpy.run_path(sys.argv[0])
"""
    with RawServer(drip_comments, drip_a_head, send_nothing) as server:
        command = [sys.executable, "-c", counting, str(FOLDER / "game_loop.py"), server.url, "--timeout", "0.5"]
        ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=PATIENCE, check=False)
    frames = re.search(r"^([0-9]+) frames$", ended.stdout, re.MULTILINE)
    assert frames is not None, ended
    # Ninety frames, if no other process takes time.
    assert int(frames[1]) > 45


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_is_short(example: str) -> None:
    assert lines_of_code((FOLDER / f"{example}.py").read_text(encoding="utf-8")) <= MOST_LINES


def test_lines_of_code() -> None:
    source = '"""Of a\nmodule."""\nimport os\nfrom os import (\n    path,\n)\n\n# Not\ndef one():\n    """Of it."""\n'
    assert lines_of_code(source + "    return (  # two\n        3\n    )\n") == 4


def test_the_page_shows_every_example_and_counts_right() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[.*\]\(#.*\) \| `(\w+)\.py` \| (\d+) \|", page, re.MULTILINE)
    assert {name: int(count) for name, count in rows} == {
        example: lines_of_code((FOLDER / f"{example}.py").read_text(encoding="utf-8")) for example in EXAMPLES
    }
    shown = re.findall(r"^\.\. literalinclude:: examples/(\w+)\.py$", page, re.MULTILINE)
    assert sorted(shown) == sorted([*EXAMPLES, "common"])


def lines_of_code(source: str) -> int:
    """The lines that hold code, without imports and docstrings."""
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            left_out.update(_lines(node.body[0]))
        if isinstance(node, ast.Import | ast.ImportFrom):
            left_out.update(_lines(node))
    blank = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    code = {line for token in tokens if token.type not in blank for line in range(token.start[0], token.end[0] + 1)}
    return len(code - left_out)


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)
