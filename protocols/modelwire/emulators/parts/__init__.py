"""Building blocks of the emulators."""
