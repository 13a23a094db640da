"""`modelwire chat`."""

from __future__ import annotations

import click

from modelwire.messages import Message
from modelwire.outputs import LoginRequired, Output, Restarted, StatusChanged, TextDelta, TextReplaced, TitleChanged
from modelwire_io.cli.prompts import read_prompt
from modelwire_io.cli.reporting import reported_end, write_json
from modelwire_io.cli.settings import Settings, provider_options
from modelwire_io.cli.terminal import note, write_line, write_text
from modelwire_io.client.client import Client
from modelwire_io.client.run import Chat
from modelwire_io.store.history import History, HistoryFile, open_history
from modelwire_io.store.private_files import PrivateFileError

DEFAULT_MODEL = "cromicle"


@click.command(name="chat")
@click.option(
    "-m", "model", default=DEFAULT_MODEL, show_default=True, metavar="PROVIDER[/MODEL]", help="Provider to ask."
)
@click.option("-s", "system", metavar="SYSTEM", help="A system message, put before the conversation.")
@click.option("-c", "continues", is_flag=True, help="Continue the last conversation with this provider.")
@provider_options
@click.argument("prompt", nargs=-1)
def command(settings: Settings, model: str, system: str | None, continues: bool, prompt: tuple[str, ...]) -> None:
    """Ask a provider, and print the answer to stdout as it arrives.

    PROMPT is read from stdin when that is not a terminal and no PROMPT is given.
    """
    question = Message("user", read_prompt(prompt))
    with settings.open_client() as client:
        provider, origin = client.locate(model)
        history = open_history(provider.name, origin, is_saved=not settings.emulate)
        past = history.load() if continues else None
        if continues and past is None:
            note(f"there is no conversation with {provider.label} to continue: this begins one")
        messages = (*(past.messages if past else ()), question)
        with reported_end(settings.as_json, provider, origin):
            chat = _ask(client, settings, model, messages, system, past)
        _save(history, History(messages=(*messages, Message("assistant", chat.answer)), conversation=chat.conversation))


def _ask(
    client: Client,
    settings: Settings,
    model: str,
    messages: tuple[Message, ...],
    system: str | None,
    past: History | None,
) -> Chat:
    """Print the answer as it arrives, and return the chat when it is complete."""
    options = settings.options_for(client.locate(model)[0], "chat")
    conversation = past.conversation if past else None
    record = settings.record
    with client.chat(model, messages, system=system, conversation=conversation, record=record, **options) as chat:
        show = write_json if settings.as_json else _AnswerDisplay().show
        try:
            for output in chat:
                show(output)
        finally:
            if not settings.as_json and chat.answer and not chat.answer.endswith("\n"):
                write_line()
    return chat


def _save(history: HistoryFile, conversation: History) -> None:
    """Save the conversation. If that fails, the command has still succeeded, because the user has the answer."""
    try:
        history.save(conversation)
    except PrivateFileError as error:
        note(f"modelwire: -c will not continue this conversation: {error}")


class _AnswerDisplay:
    """Prints an answer, and notes each time that it starts over."""

    def __init__(self) -> None:
        self._has_text = False

    def show(self, output: Output) -> None:
        """Write an output: text to stdout, the rest to stderr."""
        match output:
            case TextDelta(text):
                self._has_text = True
                write_text(text)
            case TextReplaced(text):
                self._start_over("the provider revised its answer, which now is:")
                write_text(text)
            case Restarted():
                self._start_over("the answer begins again:")
            case TitleChanged(title):
                note(f"title: {title}")
            case StatusChanged(_, text):
                note(text)
            case LoginRequired(label, url):
                note(f"{label} requires a login: {url}")
            case _:
                pass

    def _start_over(self, reason: str) -> None:
        if self._has_text:
            write_line()
        note(reason)
        self._has_text = True
