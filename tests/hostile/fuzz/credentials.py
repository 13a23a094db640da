"""Credential files: what is in them is refused, left alone, or good for a session that comes to a named end."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from fuzz.replies import KITS
from fuzz.target import DEEP, Choices, Target
from modelwire.errors import InvalidInput
from modelwire.json import JsonObject
from modelwire.limits import DEFAULT_LIMITS
from modelwire.testing import FlowKit
from modelwire.testing.stage import Stage
from modelwire_io.client.flow_factory import FlowFactory, ReadyFlow
from modelwire_io.store import FileStore, PrivateFileError

ALLOWED = (PrivateFileError, InvalidInput)
NAME_OF_FIELD = {"chat": "messages", "image": "prompt"}

# One for all: there is one file at a time in it.
_directory = TemporaryDirectory(prefix="modelwire-fuzz-")
atexit.register(_directory.cleanup)


def play(data: bytes) -> None:
    """An input is a choice of a provider, and a file."""
    choices = Choices(data)
    kit, content = choices.one_of([*KITS.values()]), choices.rest
    store = FileStore(Path(_directory.name))
    for leftover in store.directory.glob("*.json"):
        leftover.unlink()
    path = store.path(kit.provider.name)
    path.write_bytes(content)
    path.chmod(0o600)
    try:
        entries = list(store.entries())
        prepared = prepare(kit, store)
    finally:
        assert path.read_bytes() == content, "who looks has changed it"
    assert all(entry.provider == kit.provider.name for entry in entries)
    go_on(kit, prepared)


def prepare(kit: type[FlowKit], store: FileStore) -> ReadyFlow:
    """The flow that a client makes with what is kept."""
    preparation = FlowFactory(base_url=None, timeout=None, limits=DEFAULT_LIMITS, store=store, environment={})
    if kit.provider.kind == "image":
        return preparation.image(kit.provider.name, "Hello", credentials=None, options={})
    return preparation.chat(kit.provider.name, "Hello", system=None, credentials=None, conversation=None, options={})


def go_on(kit: type[FlowKit], prepared: ReadyFlow) -> None:
    """A session with what is kept."""
    scene = kit.scenes()[0]
    flow = prepared.flow
    subject = scene.subject._replace(make_flow=lambda credentials, limits: flow)
    Stage(subject, scene.past).finish()


def seeds() -> Iterator[bytes]:
    """Files of each provider, as they are written, and one without an end."""
    yield b'\0{"version":1,"origins":' + DEEP
    for number, kit in enumerate(KITS.values()):
        for scene in kit.scenes():
            yield bytes([number]) + as_file(kit, scene.past.credentials)


def as_file(kit: type[FlowKit], credentials: JsonObject | None) -> bytes:
    """A file with these credentials for the provider's own address."""
    origin = kit.provider.website.rstrip("/")
    content = {"version": 1, "origins": {origin: credentials or {}}, "saved": {origin: 1_700_000_000.25}}
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


WORDS = (
    *(b'"version": 1', b'"origins": {', b'"saved": {', b'"token": ', b'"cookies": [', b'"api_key": ', b'"id_token": '),
    *(b'"issued_at": ', b'"expires_in": ', b'"refresh_token": ', b'"access_token": ', b"null", b"1e308", b"-1", b'""'),
    *(kit.provider.website.encode() for kit in KITS.values()),
)
CREDENTIALS = Target("credentials", play, ALLOWED, seeds, WORDS)
