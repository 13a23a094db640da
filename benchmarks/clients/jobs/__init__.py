"""Clients that run image jobs on `job_server.py`. The callback gets each image."""
