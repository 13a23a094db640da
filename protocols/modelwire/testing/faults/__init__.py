"""Tables of what can go wrong, played by the kit."""
