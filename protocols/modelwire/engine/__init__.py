"""The machine under `Flow`. Nothing outside `modelwire.flow` needs it."""
