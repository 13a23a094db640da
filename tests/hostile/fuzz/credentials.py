"""Credential files: each is refused, ignored, or usable for a session with a named end."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from fuzz.responses import KITS
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

# One folder for all inputs: it holds one file at a time.
_directory = TemporaryDirectory(prefix="modelwire-fuzz-")
atexit.register(_directory.cleanup)


def play(data: bytes) -> None:
    """An input is a choice of a provider, then a file."""
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
        assert path.read_bytes() == content, "reading changed the file"
    assert all(entry.provider == kit.provider.name for entry in entries)
    go_on(kit, prepared)


def prepare(kit: type[FlowKit], store: FileStore) -> ReadyFlow:
    """The flow that a client makes with the stored credentials."""
    preparation = FlowFactory(base_url=None, timeout=None, limits=DEFAULT_LIMITS, store=store, environment={})
    if kit.flow_kind() == "image":
        return preparation.image(kit.provider.name, "Hello", credentials=None, options={})
    return preparation.chat(kit.provider.name, "Hello", system=None, credentials=None, conversation=None, options={})


def go_on(kit: type[FlowKit], prepared: ReadyFlow) -> None:
    """Play a session with the stored credentials."""
    scene = kit.scenes()[0]
    flow = prepared.flow
    subject = scene.subject._replace(make_flow=lambda credentials, limits: flow)
    Stage(subject, scene.past).finish()


def seeds() -> Iterator[bytes]:
    """Files of each provider, as the store writes them, and a very long one."""
    yield b'\0{"version":1,"origins":' + DEEP
    for number, kit in enumerate(KITS.values()):
        for scene in kit.scenes():
            yield bytes([number]) + as_file(kit, scene.past.credentials)


def as_file(kit: type[FlowKit], credentials: JsonObject | None) -> bytes:
    """A file with these credentials for the provider's own origin."""
    origin = kit.provider.website.rstrip("/")
    content = {"version": 1, "origins": {origin: credentials or {}}, "saved": {origin: 1_700_000_000.25}}
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


WORDS = (
    *(b'"version": 1', b'"origins": {', b'"saved": {', b'"token": ', b'"cookies": [', b'"api_key": ', b'"id_token": '),
    *(b'"issued_at": ', b'"expires_in": ', b'"refresh_token": ', b'"access_token": ', b"null", b"1e308", b"-1", b'""'),
    *(kit.provider.website.encode() for kit in KITS.values()),
)
CREDENTIALS = Target("credentials", play, ALLOWED, seeds, WORDS)
