"""The saved conversation that the command line can continue."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import Home
from modelwire.messages import Message, Part
from modelwire_io.store import FileStore, MemoryStore, PrivateFileError
from modelwire_io.store.history import History, HistoryFile, open_history

ORIGIN = "https://www.hailuo.ai"
HISTORY = History(
    messages=(
        Message("user", "grüezi 雪"),
        Message("assistant", "hello"),
        Message("user", (Part(text="two "), Part(text="parts"), Part("image", "none"))),
    ),
    conversation={"token": "T-1", "chatID": "7", "characterID": "1"},
)


def test_a_saved_conversation_is_loaded_unchanged(tmp_path: Path) -> None:
    history = HistoryFile(FileStore(tmp_path), "hailuo", ORIGIN)
    assert history.load() is None
    history.save(HISTORY)
    assert HistoryFile(FileStore(tmp_path), "hailuo", ORIGIN).load() == HISTORY
    history.save(History(messages=(Message("user", "again"),)))
    assert history.load() == History(messages=(Message("user", "again"),), conversation=None)


def test_each_provider_and_origin_has_its_own_conversation(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    HistoryFile(store, "hailuo", ORIGIN).save(HISTORY)
    assert HistoryFile(store, "hailuo", "http://127.0.0.1:8080/hailuo").load() is None
    assert HistoryFile(store, "cromicle", ORIGIN).load() is None


@pytest.mark.parametrize(
    "stored",
    [{}, {"messages": "hello"}, {"messages": [{"role": "user"}]}, {"messages": [], "conversation": "secret-token"}],
)
def test_a_damaged_conversation_is_refused_without_its_content(stored: dict[str, object]) -> None:
    store = MemoryStore()
    store.save("hailuo", ORIGIN, stored)
    with pytest.raises(PrivateFileError, match=r"^the saved conversation with hailuo is damaged: ") as caught:
        HistoryFile(store, "hailuo", ORIGIN).load()
    assert "secret-token" not in str(caught.value)


def test_a_conversation_is_saved_in_the_users_state_directory_or_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    for name, value in home.variables.items():
        monkeypatch.setenv(name, value)
    in_memory = open_history("hailuo", ORIGIN, is_saved=False)
    in_memory.save(HISTORY)
    assert in_memory.load() == HISTORY
    assert not home.state.exists()
    assert open_history("hailuo", ORIGIN, is_saved=False).load() is None
    open_history("hailuo", ORIGIN, is_saved=True).save(HISTORY)
    assert open_history("hailuo", ORIGIN, is_saved=True).load() == HISTORY
    assert (home.state / "hailuo.json").stat().st_mode & 0o777 == 0o600
