"""`modelwire replay`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from modelwire.commands import Finished
from modelwire.errors import ModelwireError
from modelwire.flow import Flow
from modelwire.outputs import Output, TextDelta, TextReplaced
from modelwire.recording.replay import Replay, find_flow
from modelwire_io.cli.debugging import debug_option
from modelwire_io.cli.reporting import write_json
from modelwire_io.cli.terminal import note, write_line, write_text
from modelwire_io.client.plugins import load_provider, plugin_names
from modelwire_io.clock import SystemClock
from modelwire_io.store.recordings import at_pace, read_recording


class ReplayDiffers(ModelwireError):
    """The protocol does something else than was recorded."""


@click.command(name="replay")
@click.option("--pace", is_flag=True, help="Take as long as it took; by default, as fast as possible.")
@click.option("--rechunk", type=int, metavar="SEED", help="Cut the bodies anew at random, the same for the same SEED.")
@click.option("--json", "as_json", is_flag=True, help="Write what the flow tells as JSON lines.")
@debug_option
@click.argument("file", type=click.Path(path_type=Path))
def command(pace: bool, rechunk: int | None, as_json: bool, file: Path) -> None:
    """Play back the recording FILE, offline: print what the flow tells now, and compare all that it does.

    Where it first does something else than was recorded, the difference is shown, and the exit code is 1.
    """
    recording = read_recording(file)
    replay = Replay(recording, flow=_find_flow(recording.head.flow), rechunk=rechunk)
    played = replay.outputs()
    told = at_pace(played, SystemClock()) if pace else (item for _, item in played)
    if as_json:
        for item in told:
            write_json(item)
    else:
        _show(told)
    difference = replay.first_difference()
    if difference is not None:
        for line in str(difference).split("\n"):
            note(line)
        raise ReplayDiffers(f"at event {difference.number}, the protocol does something else than was recorded")
    note(f"the same in all of {len(recording.moments)} events")


def _find_flow(name: str) -> type[Flow]:
    """The flow of the catalog, else of an installed package."""
    return find_flow(name, (load_provider(plugin).flow for plugin in plugin_names()))


def _show(told: Iterable[Output | Finished]) -> None:
    """The answer to stdout, everything else to stderr."""
    text = ""
    for item in told:
        match item:
            case TextDelta(text):
                write_text(text)
            case TextReplaced(text):
                note("the answer was revised:")
                write_text(text)
            case Finished():
                if text and not text.endswith("\n"):
                    write_line()
                if item.failure is not None:
                    note(f"the flow ended: {item.failure.message}")
            case _:
                note(repr(item))
