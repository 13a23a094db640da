"""Image jobs through `Client` and `AsyncClient`: images, their files, and jobs that are resumed."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from emulated_clients import (
    NO_PAUSES,
    SIGN_UP,
    SUBMIT,
    AnyClient,
    MemorySetup,
    collect,
    first_of,
    make_images,
    open_client,
    result,
)
from modelwire.emulators import ArtaEmulator, EmulatorRequest, EmulatorResponse
from modelwire.errors import DeadlineExceeded, InDoubt, InvalidInput, SnapshotError
from modelwire.messages import Message
from modelwire.outputs import CredentialsChanged, ImageReady, JobAccepted, StatusChanged
from modelwire_io.emulation import EmulatorServer
from modelwire_io.store import MemoryStore
from modelwire_io.transports.memory import BASE_URL
from transport_variants import Style

pytestmark = pytest.mark.anyio


async def check_images(client: AnyClient, folder: Path) -> None:
    job, images = await make_images(client, n=2)
    paths = [image.save(folder) for image in images]
    assert job.job_id is not None
    assert [path.name for path in paths] == [f"arta-{job.job_id[:12]}-{number}.png" for number in (1, 2)]
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n") for path in paths)
    assert paths[0].read_bytes() != paths[1].read_bytes()
    assert [image.media_type for image in images] == ["image/png"] * 2


async def test_images_in_memory(memory: MemorySetup, tmp_path: Path) -> None:
    await check_images(memory.log_in().client(), tmp_path / "out")
    assert memory.emulators["arta"].count("POST", SUBMIT) == 1


async def test_images_over_sockets(style: Style, fast_emulators: None, tmp_path: Path) -> None:
    async with open_client(style, emulate=True) as client:
        await check_images(client, tmp_path / "out")


async def test_a_job_is_an_iterator_of_outputs(memory: MemorySetup) -> None:
    job = memory.log_in().client().image("arta", "a dragon")
    outputs = await collect(job)
    assert [type(output) for output in outputs] == [
        CredentialsChanged,
        JobAccepted,
        StatusChanged,
        StatusChanged,
        StatusChanged,
        ImageReady,
    ]
    assert isinstance(outputs[-1], ImageReady)
    image = await result(job.fetch(outputs[-1]))
    assert image.url == outputs[-1].url
    assert job.credentials is not None
    assert set(job.credentials) == {"api_key", "id_token", "refresh_token", "expires_in", "issued_at"}


async def test_a_prompt_for_an_image_may_be_a_history(memory: MemorySetup) -> None:
    await collect(memory.log_in().client().image("arta", [Message("user", "a red dragon")]))
    assert memory.emulators["arta"].received("prompt=a+red+dragon&")


# Resuming.


async def test_a_job_that_reached_its_timeout_is_resumed(memory: MemorySetup) -> None:
    memory.log_in()
    with pytest.raises(DeadlineExceeded) as raised:
        await make_images(memory.client(timeout=1.0))
    snapshot = raised.value.failure.snapshot
    assert snapshot is not None
    assert "emulated-key" not in snapshot
    job = memory.client().resume("arta", snapshot)
    (image,) = await collect(job.images())
    assert image.data.startswith(b"\x89PNG")
    assert memory.emulators["arta"].count("POST", SUBMIT) == 1
    assert memory.emulators["arta"].count("POST", f"{SIGN_UP}emulated-key") == 1


async def test_a_job_that_was_closed_is_resumed(memory: MemorySetup) -> None:
    client = memory.log_in().client()
    job = client.image("arta", "a dragon", n=2)
    accepted = await first_of(JobAccepted, job)
    snapshot = job.snapshot()
    await result(job.close())
    again = memory.client().resume("arta/flux", snapshot.encode())
    assert len(await collect(again.images())) == 2
    assert memory.emulators["arta"].received(f"/{accepted.job_id}/status")
    assert memory.emulators["arta"].count("POST", SUBMIT) == 1


async def test_a_job_is_resumed_over_sockets_without_a_second_submission(style: Style) -> None:
    with EmulatorServer(behaviour=NO_PAUSES) as server:
        store = MemoryStore()
        store.save("arta", server.providers["arta"], {"api_key": "key"})
        async with open_client(style, base_url=server.providers, store=store) as client:
            job = client.image("arta", "a dragon")
            await first_of(JobAccepted, job)
            snapshot = job.snapshot()
            await result(job.close())
        async with open_client(style, base_url=server.providers, store=store) as client:
            assert len(await collect(client.resume("arta", snapshot).images())) == 1
        assert [request.target for request in server.requests].count(SUBMIT) == 1


async def test_a_snapshot_of_another_address_is_refused(style: Style, memory: MemorySetup) -> None:
    elsewhere = MemorySetup(style, {"evil": ArtaEmulator()})
    elsewhere.store.save("arta", f"{BASE_URL}/evil", {"api_key": "key"})
    job = elsewhere.client(base_url=f"{BASE_URL}/evil").image("arta", "a dragon")
    await first_of(JobAccepted, job)
    await result(job.close())
    with pytest.raises(InvalidInput, match="give the base URL that the job was begun with"):
        memory.log_in().client().resume("arta", job.snapshot())


async def test_an_invalid_snapshot_is_refused(memory: MemorySetup) -> None:
    for snapshot in ("", "{}", b"\xff", "[" * 100_000, json.dumps({"flow": "CromicleChat"})):
        with pytest.raises(SnapshotError):
            memory.client().resume("arta", snapshot)


async def test_a_job_that_may_have_been_paid_for_is_not_submitted_again(style: Style) -> None:
    class ResponseLost:
        """An emulator that accepts the job, and whose response is lost."""

        def __init__(self) -> None:
            self._inner = ArtaEmulator()
            self.loses_response = True

        def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
            response = self._inner.handle(request, now)
            if self.loses_response and request.target == SUBMIT:
                return msgspec.structs.replace(response, chunks=(), stays_open=True)
            return response

    arta = ResponseLost()
    memory = MemorySetup(style, {"arta": arta}).log_in()
    job = memory.client().image("arta", "a dragon")
    with pytest.raises(InDoubt):
        await collect(job)
    assert memory.emulators["arta"].count("POST", SUBMIT) == 1
    arta.loses_response = False
    snapshot = job.snapshot()
    with pytest.raises(InDoubt, match="resend=True"):
        memory.client().resume("arta", snapshot)
    assert len(await collect(memory.client().resume("arta", snapshot, resend=True).images())) == 1
