"""modelwire: the wire protocols of AI chat and image providers, without any I/O."""

__version__ = "0.1.0"
