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
    """The flow differs from the recording."""


@click.command(name="replay")
@click.option("--pace", is_flag=True, help="Replay in real time; by default, as fast as possible.")
@click.option("--rechunk", type=int, metavar="SEED", help="Cut the bodies at random, the same for the same SEED.")
@click.option("--json", "as_json", is_flag=True, help="Write the outputs as JSON lines.")
@debug_option
@click.argument("file", type=click.Path(path_type=Path))
def command(pace: bool, rechunk: int | None, as_json: bool, file: Path) -> None:
    """Replay the recording FILE offline: print the outputs of the flow, and compare every step with the recording.

    If they differ, it shows the first difference, and the exit code is 1.
    """
    recording = read_recording(file)
    replay = Replay(recording, flow=_find_flow(recording.head.flow), rechunk=rechunk)
    replayed = replay.outputs()
    outputs = at_pace(replayed, SystemClock()) if pace else (output for _, output in replayed)
    if as_json:
        for output in outputs:
            write_json(output)
    else:
        _show(outputs)
    difference = replay.first_difference()
    if difference is not None:
        for line in str(difference).split("\n"):
            note(line)
        raise ReplayDiffers(f"the protocol differs from the recording at event {difference.number}")
    note(f"all {len(recording.calls)} events are the same")


def _find_flow(name: str) -> type[Flow]:
    """The flow of this name, of the catalog or of an installed package."""
    return find_flow(name, (flow for plugin in plugin_names() for flow in load_provider(plugin).flows.values()))


def _show(outputs: Iterable[Output | Finished]) -> None:
    """Write the answer to stdout, everything else to stderr."""
    text = ""
    for output in outputs:
        match output:
            case TextDelta(text):
                write_text(text)
            case TextReplaced(text):
                note("the answer was revised:")
                write_text(text)
            case Finished():
                if text and not text.endswith("\n"):
                    write_line()
                if output.failure is not None:
                    note(f"the flow ended: {output.failure.message}")
            case _:
                note(repr(output))
