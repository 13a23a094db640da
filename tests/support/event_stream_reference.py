"""The algorithm of the standard for event streams, as it is written there: the reference for decoders."""

from __future__ import annotations

from dataclasses import dataclass, field

from event_stream_rules import LONGEST_RETRY, Seen


@dataclass
class Reading:
    """The result of a stream: its events, and the decoder's state at the end."""

    events: list[Seen] = field(default_factory=list)
    retry: int | None = None
    last_event_id: str = ""


def reference(stream: bytes) -> Reading:
    """The standard's algorithm, a character at a time, in its own order and with its own names."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    result = Reading()
    data_buffer = event_type_buffer = last_event_id_buffer = ""
    for line in lines_of(text):
        if line == "":
            result.last_event_id = last_event_id_buffer
            if data_buffer == "":
                event_type_buffer = ""
                continue
            data_buffer = data_buffer.removesuffix("\n")
            result.events.append((event_type_buffer or "message", data_buffer, result.last_event_id))
            data_buffer = event_type_buffer = ""
            continue
        if line.startswith(":"):
            continue
        name, colon, value = line.partition(":")
        if colon and value.startswith(" "):
            value = value[1:]
        if name == "event":
            event_type_buffer = value
        elif name == "data":
            data_buffer += value + "\n"
        elif name == "id" and "\0" not in value:
            last_event_id_buffer = value
        elif name == "retry" and value and all("0" <= digit <= "9" for digit in value):
            result.retry = min(int(value), LONGEST_RETRY) if len(value) < 4000 else LONGEST_RETRY
    return result


def lines_of(text: str) -> list[str]:
    """The complete lines. CR LF is one line end; the rest after the last line end is left out."""
    lines: list[str] = []
    line = ""
    previous = ""
    for character in text:
        if character == "\n" and previous == "\r":
            pass
        elif character in "\r\n":
            lines.append(line)
            line = ""
        else:
            line += character
        previous = character
    return lines
