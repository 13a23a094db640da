"""What some transports cannot promise: a table, which `docs/transports.md` repeats and the tests consult."""

from __future__ import annotations

from typing import NamedTuple


class Promise(NamedTuple):
    """A promise that some transports cannot keep.

    `not_by` are names of transports; those with a dot are over a client object of the program's. If only one style of
    a transport cannot keep it, the name is as in `h11 (blocking)`. `tests` are those of the contract that fail without
    the promise, some with the id of their parameters. A test that knows of the promise itself is not among them.
    """

    text: str
    not_by: tuple[str, ...]
    instead: str
    """What those transports do instead, and why."""
    tests: tuple[str, ...] = ()


HTTPX_CLIENTS = ("httpx.Client", "httpx2.Client")
BLOCKING_CLIENTS = ("httpx.Client (blocking)", "httpx2.Client (blocking)", "urllib3.PoolManager")
CLIENTS = (*HTTPX_CLIENTS, "aiohttp.ClientSession", "urllib3.PoolManager")

TRIO = Promise(
    "It runs on trio",
    ("aiohttp", "aiohttp.ClientSession"),
    "An error, which names the transports that do: aiohttp needs asyncio.",
)

# Requests.
HEADER_BYTES = Promise(
    "Bytes beyond ASCII in a header are sent unchanged",
    ("aiohttp", "aiohttp.ClientSession"),
    "The request fails before it is sent: aiohttp would send other bytes.",
)
EMPTY_QUERIES = Promise(
    "A `?` with nothing after it is sent", ("aiohttp", "aiohttp.ClientSession"), "aiohttp's URLs drop it."
)
LONG_URLS = Promise(
    "A URL may be longer than 64 KiB",
    HTTPX_CLIENTS,
    "The request fails before it is sent: httpx's URLs have that limit.",
    ("test_a_deadline_ends_a_request_that_nobody_reads[head]",),
)
EXACT_URLS = Promise(
    "The URL is sent unchanged",
    ("urllib3.PoolManager",),
    "urllib3 resolves `..` in it and escapes some characters.",
    ("test_sends_the_url_unchanged",),
)
EXACT_HEADERS = Promise(
    "A plain http:// proxy gets exactly the given headers",
    ("urllib3.PoolManager",),
    "urllib3 adds `Accept: */*`.",
    ("test_sends_the_whole_url_to_a_proxy",),
)
COOKIES = Promise(
    "No cookies are sent but the given ones",
    ("aiohttp.ClientSession",),
    "aiohttp adds those of the session's cookie jar; a `DummyCookieJar` has none.",
    ("test_keeps_no_cookies",),
)

# Responses.
LONG_HEADS = Promise(
    "A response may have 250 headers",
    ("urllib", "urllib3", "urllib3.PoolManager"),
    "More than 100 are a protocol failure: `http.client` has that limit.",
)
INTERIM_RESPONSES = Promise(
    "Every interim response (1xx) is skipped",
    ("urllib3.PoolManager",),
    "One with another status than 100 is a protocol failure: `http.client` takes it for the response.",
    ("test_skips_informational_responses",),
)
INTERIM_FLOODS = Promise(
    "Endless interim responses are a failure",
    ("httpx", "httpx2", "aiohttp", "urllib", "urllib3", *CLIENTS),
    "They last until the deadline: the library skips them (`http.client` skips those with status 100).",
)
CHUNK_SIZES = Promise(
    "A chunk size that is not a number is a protocol failure",
    ("urllib", "urllib3", "urllib3.PoolManager"),
    "It is a network failure: `http.client` treats it as the end of the connection.",
)
STRICT_HEADS = Promise(
    "A head or a trailer that is cut off, or holds a line that is not a header, is a failure",
    ("urllib3.PoolManager",),
    "It is accepted: `http.client` takes the end of the connection for its end, and drops such lines.",
    (
        "test_a_response_that_is_cut_off_is_a_network_failure[status line-end]",
        "test_a_response_that_is_cut_off_is_a_network_failure[in a header-end]",
        "test_a_response_that_is_cut_off_is_a_network_failure[between headers-end]",
        "test_a_response_that_is_cut_off_is_a_network_failure[in the trailer-end]",
        "test_a_response_that_is_not_http_is_a_protocol_failure[header]",
    ),
)

# Connections.
REUSE = Promise(
    "Connections are reused",
    ("urllib",),
    "Each request has its own connection: `http.client` pools none.",
)
NEW_CONNECTIONS = Promise(
    "A request that must not be sent twice gets a new connection",
    CLIENTS,
    "It may get a pooled one. If the server has closed that, the request fails and counts as sent.",
    ("test_a_request_that_must_not_be_repeated_gets_a_new_connection",),
)
SURPLUS = Promise(
    "A connection with bytes after the response is closed",
    ("urllib3", "urllib3.PoolManager"),
    "The extra bytes are dropped and the connection is reused: `http.client` does not report them.",
)
SURPLUS_IN_POOL = Promise(
    "Bytes after a response are not taken for the next response",
    HTTPX_CLIENTS,
    "They are: httpcore does not check for them.",
    (
        "test_surplus_bytes_after_a_response_are_dropped",
        "test_surplus_bytes_under_tls_are_not_a_response",
        "test_surplus_bytes_buffered_by_tls_are_not_a_response",
        "test_surplus_bytes_buffered_by_the_event_loop_are_not_a_response",
    ),
)
IDLE_BYTES = Promise(
    "Bytes that come on an idle connection are not taken for a response",
    ("aiohttp.ClientSession",),
    "They are: aiohttp does not check for them.",
    (
        "test_bytes_on_an_idle_connection_are_not_a_response",
        "test_surplus_bytes_buffered_by_the_event_loop_are_not_a_response[65536]",
        "test_surplus_bytes_buffered_by_the_event_loop_are_not_a_response[131072]",
    ),
)
TWO_FRAMINGS = Promise(
    "A connection is closed after a response with a length and chunks",
    (*HTTPX_CLIENTS, "urllib3.PoolManager"),
    "It is reused.",
    ("test_a_doubtful_connection_is_not_reused[two framings]",),
)
CLOSING = Promise(
    "`close()` closes idle connections, and a closed transport can be used again",
    CLIENTS,
    "`close()` leaves the client as it is: the program closes it.",
    ("test_closing_the_transport_closes_idle_connections", "test_a_closed_transport_can_be_used_again"),
)

# Deadlines.
DEADLINES = Promise(
    "Everything ends at the deadline",
    BLOCKING_CLIENTS,
    "Each look-up, connection attempt and read has a timeout of its own: a head that drips lasts as long as it drips.",
    (
        "test_a_flood_of_informational_responses_ends",
        "test_a_deadline_ends_what_drips[head]",
        "test_a_deadline_ends_what_drips[chunk header]",
        "test_a_deadline_ends_what_drips[trailer]",
        "test_a_deadline_ends_what_drips_under_tls[head]",
        "test_a_reused_connection_has_no_earlier_deadline",
        "test_connecting_ends_by_the_deadline[False]",
        "test_looking_up_a_name_ends_by_the_deadline",
        "test_a_deadline_ends_a_tunnel_that_drips[answer]",
    ),
)
SECOND_ADDRESSES = Promise(
    "A second address is tried soon if the first does not respond",
    BLOCKING_CLIENTS,
    "It is tried after the timeout of the first.",
    ("test_a_second_address_is_tried_if_the_first_does_not_respond[False]",),
)
HANDSHAKES = Promise(
    "A deadline that passes during a TLS handshake closes the connection",
    tuple(f"{name} ({style})" for name in HTTPX_CLIENTS for style in ("asyncio", "trio")),
    "Python's garbage collector closes it: httpcore loses a connection that is cancelled.",
    ("test_a_deadline_ends_a_handshake",),
)

# Proxies and TLS.
OWN_SETTINGS = Promise(
    "Proxies (SOCKS, too) and certificates are those of `proxy=` and the environment",
    CLIENTS,
    "They are the client's own.",
    (
        "test_uses_the_proxy_of_the_environment_but_not_for_loopback",
        "test_uses_a_socks_proxy",
        "test_refuses_an_ssl_cert_file_without_certificates",
    ),
)
PROXIED_NAMES = Promise(
    "Through a proxy, a `public_only` request needs no look-up of its host",
    CLIENTS,
    "The host is looked up here, and the request goes to its address: the client's proxies are not known.",
    ("test_a_proxy_may_be_private_but_its_targets_must_be_public",),
)
TUNNELS = Promise(
    "A proxy is asked for a tunnel in HTTP/1.1",
    ("urllib3.PoolManager",),
    "In HTTP/1.0, which `http.client` uses before Python 3.12.",
)
TUNNEL_FAILURES = Promise(
    "A proxy that hangs up instead of opening a tunnel is a failure to connect",
    ("aiohttp.ClientSession",),
    "It is a network failure: aiohttp does not say that nothing was sent.",
    (
        "test_a_proxy_that_opens_no_tunnel_is_a_failure_to_connect[nothing]",
        "test_a_proxy_that_opens_no_tunnel_is_a_failure_to_connect[cut off]",
    ),
)
SOCKS = Promise("SOCKS proxies", ("aiohttp",), "They are refused: aiohttp does not support them.")
TLS_IN_TLS = Promise(
    "https:// addresses through https:// proxies",
    ("h11 (blocking)", "httpx (blocking)", "httpx2 (blocking)", "urllib", "urllib3"),
    "They are refused: Python's blocking sockets cannot run TLS inside TLS.",
)

PROMISES = (
    *(TRIO, HEADER_BYTES, EMPTY_QUERIES, LONG_URLS, EXACT_URLS, EXACT_HEADERS, COOKIES),
    *(LONG_HEADS, INTERIM_RESPONSES, INTERIM_FLOODS, CHUNK_SIZES, STRICT_HEADS),
    *(REUSE, NEW_CONNECTIONS, SURPLUS, SURPLUS_IN_POOL, IDLE_BYTES, TWO_FRAMINGS, CLOSING),
    *(DEADLINES, SECOND_ADDRESSES, HANDSHAKES),
    *(OWN_SETTINGS, PROXIED_NAMES, TUNNELS, TUNNEL_FAILURES, SOCKS, TLS_IN_TLS),
)
