"""Two small records of how far a flow has come: what was delivered to the user, and what may have been carried out."""

from __future__ import annotations


class Delivered:
    """The text that the user has seen.

    The pieces are counted, so that the hot path only appends one.
    """

    __slots__ = ("_before_attempt", "_before_phase", "pieces", "restart_due")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        """The text in pieces; always the same list."""
        self.restart_due = False
        """True if a restored flow will send text again that the user saw in another process."""
        self._before_attempt = 0  # number of pieces
        self._before_phase = 0

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def is_committed(self) -> bool:
        """True if a piece of the current attempt was delivered: the attempt must not be retried any more."""
        return len(self.pieces) > self._before_attempt

    @property
    def would_repeat(self) -> bool:
        """True if a flow restored from a snapshot of now would send text that the user has seen."""
        return self.restart_due or len(self.pieces) > self._before_phase

    def replace(self, text: str) -> None:
        """The user sees this text instead of all that came before."""
        self.pieces[:] = [text]
        self._before_attempt = self._before_phase = 0

    def begin_phase(self) -> None:
        self._before_phase = len(self.pieces)

    def begin_attempt(self) -> None:
        self._before_attempt = len(self.pieces)


class Doubt:
    """Whether a request that must not be sent twice may have been carried out, without anybody knowing.

    Doubt begins when such a request is sent. It ends if the request certainly had no effect (`had_no_effect`), if the
    outcome is known (`resolve`), or with the phase. Doubt that a restored flow inherits from its snapshot lasts longer:
    only `resolve` ends it.
    """

    __slots__ = ("_before_attempt", "_is_inherited", "exists")

    def __init__(self) -> None:
        self.exists = False
        self._before_attempt = False
        self._is_inherited = False

    def inherit(self, exists: bool) -> None:
        """Take over the doubt of a snapshot."""
        self.exists = self._is_inherited = exists

    def begin_phase(self) -> None:
        self.exists = self._is_inherited

    def begin_attempt(self, *, is_repeatable: bool) -> None:
        self._before_attempt = self.exists
        self.exists = self.exists or not is_repeatable

    def had_no_effect(self) -> None:
        """The request of the current attempt never left, or the server refused it."""
        self.exists = self._before_attempt

    def resolve(self) -> None:
        """The outcome is known: the server accepted the job, or said that it failed."""
        self.exists = self._is_inherited = False
