"""The emulators on real sockets of this machine, used with httpx."""

from __future__ import annotations

import gc
import hashlib
import socket
import time
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from anyio.abc import SocketAttribute, SocketListener, SocketStream, TaskGroup

from emulator_requests import multipart_of
from modelwire.emulators import EMULATORS, Behaviour
from modelwire_io.emulation import EmulatorServer, PortUnavailable
from modelwire_io.emulation import server as emulator_server
from modelwire_io.emulation.journal import Journal, RequestRecord
from modelwire_io.emulation.server import serve
from modelwire_io.emulation.site import EmulatedSite

AT_ONCE = Behaviour(pause=0, queue=0, work=0)
# With pauses longer than any test, so that no streamed response ends.
ENDLESS = Behaviour(pause=3600)


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(behaviour=AT_ONCE) as running:
        yield running


def chat(prompt: str = "Grüße") -> dict[str, str]:
    """The JSON of a request to Cromicle."""
    return {"message": prompt, "token": "abc", "hash": hashlib.sha256(f"abc{prompt}".encode()).hexdigest()}


def port_of(server: EmulatorServer) -> int:
    port = urlsplit(server.url).port
    assert port is not None
    return port


def test_every_provider_has_a_base_url_on_loopback(server: EmulatorServer) -> None:
    assert server.url == f"http://127.0.0.1:{port_of(server)}"
    assert server.providers == {name: f"{server.url}/{name}" for name in EMULATORS}


def test_a_response_is_streamed(server: EmulatorServer) -> None:
    with httpx.stream("POST", f"{server.providers['cromicle']}/chat", json=chat()) as response:
        assert response.headers["transfer-encoding"] == "chunked"
        chunks = list(response.iter_raw())
    assert "Grüße" in b"".join(chunks).decode()
    assert {len(chunk) for chunk in chunks[:-1]} == {7}


def test_an_image_job_from_its_request_to_the_image(server: EmulatorServer) -> None:
    base_url = server.providers["arta"].replace("127.0.0.1", "localhost")
    with httpx.Client(base_url=base_url) as client:
        sign_up = client.post(
            "/identitytoolkit/v3/relyingparty/signupNewUser?key=x", json={"clientType": "CLIENT_TYPE_ANDROID"}
        )
        headers = {"Authorization": sign_up.json()["idToken"]}
        fields = {
            "prompt": "a cat",
            "negative_prompt": "",
            "style": "Anime",
            "images_num": "1",
            "cfg_scale": "7",
            "steps": "30",
            "aspect_ratio": "1:1",
            "seed": "1",
        }
        record_id = client.post("/api/v1/text2image", data=fields, headers=headers).json()["record_id"]
        status = client.get(f"/api/v1/text2image/{record_id}/status", headers=headers).json()
        assert status["status"] == "DONE"
        (url,) = (image["url"] for image in status["response"])
        # The URL has the host name that the client used, so that both have the same origin.
        assert url == f"{base_url}/images/{record_id}/0.png"
        image = client.get(url)
    assert image.headers["content-type"] == "image/png"
    assert image.content.startswith(b"\x89PNG")
    assert int(image.headers["content-length"]) == len(image.content)


def test_a_request_for_an_unknown_host_gets_a_response(server: EmulatorServer) -> None:
    response = httpx.get(f"{server.url}/arta/images/{'0' * 32}/0.png", headers={"host": "elsewhere.example"})
    assert response.status_code == 404


@pytest.mark.parametrize("path", ["", "/", "/other", "/other/chat"])
def test_an_unknown_provider_is_refused(server: EmulatorServer, path: str) -> None:
    response = httpx.get(server.url + path)
    assert response.status_code == 404
    assert "there are: magickpen, fakegpt, hailuo, cromicle, arta" in response.json()["error"]["message"]
    assert server.requests[-1].provider == ""


@pytest.mark.parametrize("path", ["", "/", "?x=/y"])
def test_a_base_url_is_the_root_of_a_provider(server: EmulatorServer, path: str) -> None:
    assert httpx.get(server.providers["magickpen"] + path).text.startswith("<!doctype html>")


def test_a_response_to_head_has_no_body(server: EmulatorServer) -> None:
    url = f"{server.providers['magickpen']}/"
    with httpx.Client() as client:
        head, get = client.head(url), client.get(url)
    assert head.content == b""
    assert head.headers["content-length"] == str(len(get.content))


def test_the_journal_records_requests(server: EmulatorServer) -> None:
    httpx.post(f"{server.providers['cromicle']}/chat?a=b", json={}, headers={"X-Extra": "1", "accept": "*/*"})
    assert server.wait_for(lambda records: records[-1].closed_early is not None)
    record = server.requests[-1]
    assert (record.method, record.provider, record.target) == ("POST", "cromicle", "/chat?a=b")
    assert {"x-extra", "content-type", "host"} <= {name.lower() for name in record.header_names}
    assert (record.status, record.closed_early) == (400, False)


def test_a_connection_that_is_closed_early_is_recorded() -> None:
    with EmulatorServer(behaviour=ENDLESS) as server:
        with httpx.stream("POST", f"{server.providers['cromicle']}/chat", json=chat()) as response:
            assert response.status_code == 200
            assert server.requests[-1].closed_early is None
        assert server.wait_for(lambda records: records[-1].closed_early is True)


def test_hailuo_keeps_the_connection_open(server: EmulatorServer) -> None:
    query = (
        "device_platform=web&biz_id=2&app_id=3001&version_code=22201&lang=en&uuid=u&device_id=d&os_name=Linux"
        "&browser_name=chrome&cpu_core_num=8&browser_language=en&browser_platform=x&screen_width=1&screen_height=1"
        f"&unix={int(time.time() * 1000)}"
    )
    target = f"/v4/api/chat/msg?{query}"
    encoded = target.replace("/", "%2F").replace("?", "%3F").replace("=", "%3D").replace("&", "%26")
    form = {"characterID": "1", "msgContent": "Hi", "chatID": "0", "searchMode": "0"}
    texts = ("1", "Hi", "0", "", query.rpartition("=")[2])
    hashes = "".join(hashlib.md5(text.encode()).hexdigest() for text in texts)
    headers = {
        "token": "emulated-token",
        "yy": hashlib.md5(f"{encoded}_{hashes}ooui".encode()).hexdigest(),
        "content-type": "multipart/form-data; boundary=limit",
    }
    url = server.providers["hailuo"] + target
    with httpx.stream("POST", url, content=multipart_of(form), headers=headers) as response:
        assert response.status_code == 200
        lines = response.iter_lines()
        assert "event: close_chunk" in lines
        assert server.requests[-1].closed_early is None
    assert server.wait_for(lambda records: records[-1].closed_early is True)


def test_chunks_are_sent_with_pauses() -> None:
    with EmulatorServer(behaviour=Behaviour(pause=0.02, chunk_size=100)) as server:
        begun = time.monotonic()
        response = httpx.post(f"{server.providers['cromicle']}/chat", json=chat())
        assert time.monotonic() - begun >= 0.02 * (len(response.content) // 100)


def test_leaving_the_block_ends_open_streams() -> None:
    with EmulatorServer(behaviour=ENDLESS) as server, httpx.Client() as client:
        request = client.build_request("POST", f"{server.providers['cromicle']}/chat", json=chat())
        assert client.send(request, stream=True).status_code == 200
        begun = time.monotonic()
        server.__exit__(None, None, None)
        assert time.monotonic() - begun < 1
        assert server.requests[-1].closed_early is None
        with pytest.raises(httpx.ConnectError):
            client.get(server.url)


def test_a_port_can_be_chosen_and_used_again_at_once() -> None:
    with EmulatorServer() as server:
        port = port_of(server)
        assert httpx.get(server.url).status_code == 404
    with EmulatorServer(port=port) as server:
        assert port_of(server) == port


def test_a_port_that_is_in_use_is_refused() -> None:
    with EmulatorServer() as server:
        port = port_of(server)
        other = EmulatorServer(port=port)
        with pytest.raises(PortUnavailable, match=f"^port {port} is in use: choose another$"):
            other.__enter__()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with (
        pytest.raises(PortUnavailable, match=f"^port {port} does not exist: choose one from 0 to 65535$"),
        EmulatorServer(port=port),
    ):
        pass


def test_a_port_that_may_not_be_used_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(anyio, "create_tcp_listener", refuse)
    with pytest.raises(PortUnavailable, match=r"port 80 cannot be used \(Permission denied\)"), EmulatorServer(port=80):
        pass


async def start(tasks: TaskGroup, behaviour: Behaviour, journal: Journal) -> str:
    """Serve in this task group, and return the URL."""
    url: str = await tasks.start(partial(serve, behaviour=behaviour, journal=journal))
    return url


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_serve_runs_in_an_event_loop(backend: str) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as tasks, httpx.AsyncClient() as client:
            url = await start(tasks, AT_ONCE, journal := Journal())
            response = await client.post(f"{url}/cromicle/chat", json=chat())
            assert "Grüße" in response.text
            assert [record.status for record in journal.records] == [200]
            assert await tasks.start(serve) != url
            tasks.cancel_scope.cancel()

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_connection_that_is_closed_early_is_recorded_in_every_event_loop(backend: str) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as tasks, httpx.AsyncClient() as client:
            url = await start(tasks, ENDLESS, journal := Journal())
            async with client.stream("POST", f"{url}/cromicle/chat", json=chat()) as response:
                assert response.status_code == 200
            has_left = partial(journal.wait_for, lambda records: records[-1].closed_early is True, 5.0)
            assert await anyio.to_thread.run_sync(has_left)
            tasks.cancel_scope.cancel()

    anyio.run(main, backend=backend)


def test_many_streams_at_once(server: EmulatorServer) -> None:
    async def main() -> list[str]:
        answers = []

        async def ask(client: httpx.AsyncClient, prompt: str) -> None:
            response = await client.post(f"{server.providers['cromicle']}/chat", json=chat(prompt))
            answers.append(response.text.split("“")[1].split("”")[0])

        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(limits=limits, timeout=30) as client, anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(ask, client, str(number))
        return answers

    assert sorted(anyio.run(main), key=int) == [str(number) for number in range(100)]


def test_the_server_goes_on_if_a_connection_cannot_be_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_server, "ACCEPT_PAUSE", 0)
    errors: list[Exception] = [OSError(24, "Too many open files"), anyio.BrokenResourceError()]

    async def refuse(listener: SocketListener) -> SocketStream:
        raise errors.pop() if errors else anyio.ClosedResourceError

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            listener = await emulator_server._listen(0)
            monkeypatch.setattr(type(listener), "accept", refuse)
            site = EmulatedSite("http://127.0.0.1:1", AT_ONCE, Journal())
            client = socket.create_connection((emulator_server.HOST, listener.extra(SocketAttribute.local_port)))
            with client, pytest.raises(anyio.ClosedResourceError):
                await emulator_server._accept_all(listener, site, tasks)
            await listener.aclose()

    anyio.run(main)
    assert not errors


@pytest.mark.parametrize("steps", range(8))
@pytest.mark.parametrize("loop", [("asyncio", {}), ("asyncio", {"use_uvloop": True}), ("trio", {})], ids=str)
def test_a_connection_that_arrives_while_the_server_stops_is_closed(
    loop: tuple[str, dict[str, bool]], steps: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            url = urlsplit(await start(tasks, AT_ONCE, Journal()))
            # Let the server get to where it waits for connections.
            for _ in range(10):
                await anyio.lowlevel.checkpoint()
            clients.append(socket.create_connection((url.hostname or "", url.port or 0)))
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

    clients: list[socket.socket] = []
    anyio.run(main, backend=loop[0], backend_options=loop[1])
    gc.collect()  # a socket that was not closed gives a warning, which pytest makes an error
    for client in clients:
        with client:
            client.settimeout(5.0)
            try:
                assert client.recv(1) == b""
            except ConnectionResetError:
                pass
    assert caplog.records == []


def test_a_connection_that_ends_before_it_is_accepted_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator_server, "ACCEPT_TIMEOUT", 0.01)

    async def main() -> None:
        listener = await emulator_server._listen(0)
        with socket.create_connection((emulator_server.HOST, listener.extra(SocketAttribute.local_port))):
            monkeypatch.setattr(type(listener), "accept", lambda self: anyio.sleep_forever())
            assert await emulator_server._accept(listener) is None
        await listener.aclose()

    anyio.run(main)


def test_a_journal_has_the_latest_records() -> None:
    journal = Journal(most=2)
    for status in (1, 2, 3):
        journal.begin(RequestRecord(method="GET", provider="", target="/", header_names=(), status=status))
    assert [record.status for record in journal.records] == [2, 3]
    assert not journal.wait_for(lambda records: len(records) > 2, 0)


def test_a_client_that_breaks_off_does_not_disturb_the_server(server: EmulatorServer) -> None:
    before = len(server.requests)
    for data in (
        b"",
        b"POST /cromicle/chat HTT",
        b"POST /cromicle/chat HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{",
    ):
        with socket.create_connection(("127.0.0.1", port_of(server))) as client:
            client.sendall(data)
            # On, and 0 seconds: closing resets the connection.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert httpx.get(server.url).status_code == 404
    assert len(server.requests) == before + 1
