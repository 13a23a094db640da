"""Targets for a fuzzer: bytes from outside may raise only the listed exceptions."""
