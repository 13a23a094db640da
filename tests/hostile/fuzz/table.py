"""All targets."""

from __future__ import annotations

from fuzz.cookies import COOKIES
from fuzz.credentials import CREDENTIALS
from fuzz.event_streams import EVENT_STREAMS
from fuzz.exports import EXPORTS, PAGES
from fuzz.heads import HEADS
from fuzz.recordings import RECORDINGS
from fuzz.responses import RESPONSES
from fuzz.snapshots import SNAPSHOTS
from fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (EVENT_STREAMS, *RESPONSES, HEADS, SNAPSHOTS, CREDENTIALS, RECORDINGS, EXPORTS, PAGES, COOKIES)
}
