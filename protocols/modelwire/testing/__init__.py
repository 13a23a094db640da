"""What tests of flows are made of. Nothing in modelwire needs it."""

from modelwire.testing.recordings import assert_replays

__all__ = ["assert_replays"]
