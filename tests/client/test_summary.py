"""The outputs of a flow, added up."""

from __future__ import annotations

from modelwire.outputs import (
    ConversationChanged,
    CredentialsChanged,
    ImageReady,
    ImageReceived,
    JobAccepted,
    LoginRequired,
    Output,
    Restarted,
    StatusChanged,
    TextDelta,
    TextReplaced,
    TitleChanged,
    UsageReported,
)
from modelwire_io.client.summary import OutputSummary


def told(*outputs: Output) -> OutputSummary:
    """What has been told after these outputs."""
    result = OutputSummary()
    for output in outputs:
        result.note(output)
    return result


def test_nothing_at_first() -> None:
    result = told()
    assert result.text == ""
    assert (result.title, result.conversation, result.credentials) == (None, None, None)
    assert result.usage is None


def test_pieces_of_text_are_joined() -> None:
    assert told(TextDelta("Hel"), TextDelta("lo")).text == "Hello"


def test_replaced_text_stands_instead_of_all_before() -> None:
    assert told(TextDelta("Hello"), TextReplaced("Good"), TextDelta(" day")).text == "Good day"


def test_a_restart_begins_with_nothing() -> None:
    assert told(TextDelta("Hel"), Restarted()).text == ""
    assert told(TextDelta("Hel"), Restarted(), TextDelta("Hello")).text == "Hello"


def test_the_last_word_counts() -> None:
    result = told(
        TitleChanged("a"),
        TitleChanged("b"),
        ConversationChanged({"id": 1}),
        ConversationChanged({"id": 2}),
        CredentialsChanged({"token": "a"}),
        CredentialsChanged({"token": "b"}),
        UsageReported(1, 2),
        UsageReported(3, 4),
    )
    assert result.title == "b"
    assert result.conversation == {"id": 2}
    assert result.credentials == {"token": "b"}
    assert result.usage == UsageReported(3, 4)


def test_refused_credentials_are_forgotten() -> None:
    assert told(CredentialsChanged({"token": "a"}), CredentialsChanged(None)).credentials is None


def test_a_restart_keeps_what_is_no_text() -> None:
    result = told(TitleChanged("a"), ConversationChanged({"id": 1}), Restarted())
    assert (result.title, result.conversation) == ("a", {"id": 1})


def test_the_rest_changes_nothing() -> None:
    result = told(
        JobAccepted("1"),
        StatusChanged("waiting", "Waiting"),
        LoginRequired("Label", "http://example.org"),
        ImageReady("http://example.org/1", 0),
        ImageReceived("http://example.org/1", b"data", "image/png"),
    )
    assert vars(result) == vars(told())
