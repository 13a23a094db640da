"""From a host name to a stream that keeps a deadline: shared by all transports."""
