"""Targets for a fuzzer: whatever bytes come from outside, nothing but the listed exceptions comes of them."""
