"""What every emulator is made of."""
