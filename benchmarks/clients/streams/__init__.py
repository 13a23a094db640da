"""Clients that read event streams from `stream_server.py`. The callback gets each piece of text."""
