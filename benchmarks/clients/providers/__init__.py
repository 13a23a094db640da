"""Clients that get answers from the emulators of `emulator_process.py`. The model is the provider's name."""
