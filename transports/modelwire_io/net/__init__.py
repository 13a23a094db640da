"""Name resolution, proxies, TLS, and sockets and streams with a deadline: shared by all transports."""
