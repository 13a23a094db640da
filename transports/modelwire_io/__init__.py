"""Everything that touches the world: transports, drivers, a client."""
