"""The state that a flow's outputs add up to."""

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


def summary_of(*outputs: Output) -> OutputSummary:
    summary = OutputSummary()
    for output in outputs:
        summary.add(output)
    return summary


def test_a_new_summary_is_empty() -> None:
    summary = summary_of()
    assert summary.text == ""
    assert (summary.title, summary.conversation, summary.credentials) == (None, None, None)
    assert summary.usage is None


def test_pieces_of_text_are_joined() -> None:
    assert summary_of(TextDelta("Hel"), TextDelta("lo")).text == "Hello"


def test_replaced_text_replaces_all_text_before_it() -> None:
    assert summary_of(TextDelta("Hello"), TextReplaced("Good"), TextDelta(" day")).text == "Good day"


def test_a_restart_removes_the_text() -> None:
    assert summary_of(TextDelta("Hel"), Restarted()).text == ""
    assert summary_of(TextDelta("Hel"), Restarted(), TextDelta("Hello")).text == "Hello"


def test_the_last_output_of_a_kind_counts() -> None:
    summary = summary_of(
        TitleChanged("a"),
        TitleChanged("b"),
        ConversationChanged({"id": 1}),
        ConversationChanged({"id": 2}),
        CredentialsChanged({"token": "a"}),
        CredentialsChanged({"token": "b"}),
        UsageReported(1, 2),
        UsageReported(3, 4),
    )
    assert summary.title == "b"
    assert summary.conversation == {"id": 2}
    assert summary.credentials == {"token": "b"}
    assert summary.usage == UsageReported(3, 4)


def test_refused_credentials_are_removed() -> None:
    assert summary_of(CredentialsChanged({"token": "a"}), CredentialsChanged(None)).credentials is None


def test_a_restart_leaves_title_and_conversation() -> None:
    summary = summary_of(TitleChanged("a"), ConversationChanged({"id": 1}), Restarted())
    assert (summary.title, summary.conversation) == ("a", {"id": 1})


def test_other_outputs_change_nothing() -> None:
    summary = summary_of(
        JobAccepted("1"),
        StatusChanged("waiting", "Waiting"),
        LoginRequired("Label", "http://example.org"),
        ImageReady("http://example.org/1", 0),
        ImageReceived("http://example.org/1", b"data", "image/png"),
    )
    assert vars(summary) == vars(summary_of())
