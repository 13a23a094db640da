"""The login page of the emulated Hailuo AI: a form, then a page whose script stores the login in localStorage."""

from __future__ import annotations

import msgspec

from modelwire.http import Headers

from .emulator import EmulatorResponse
from .parts.responses import bytes_response

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Hailuo AI (emulated)</title>
<link rel="icon" href="data:,">
<style>
  body { margin: 0; min-height: 100vh; display: grid; place-content: center; background: #eef2f6;
         font: 16px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: #1f2328; }
  main { width: 20rem; padding: 2rem; border-radius: 1rem; background: #fff; box-shadow: 0 1rem 3rem #1f232822; }
  h1 { margin: 0; font-size: 1.5rem; }
  p { margin: .25rem 0 1.25rem; color: #57606a; }
  label { display: block; margin-bottom: 1rem; font-size: .875rem; font-weight: 600; }
  input { box-sizing: border-box; width: 100%; margin-top: .25rem; padding: .5rem .75rem; font: inherit;
          border: 1px solid #8b949e; border-radius: .5rem; }
  button { width: 100%; padding: .625rem; font: inherit; font-weight: 600; color: #fff; background: #0969da;
           border: 0; border-radius: .5rem; }
</style>
</head>
<body>
<main>
$content
</main>
</body>
</html>
"""

# A form without an action is sent to the page's own URL, whatever prefix that has.
_FORM = """\
<h1>Hailuo AI</h1>
<p>This is the emulator: any address and any password will do.</p>
<form method="post">
<label>Email <input type="email" name="email" autocomplete="username" required autofocus></label>
<label>Password <input type="password" name="password" autocomplete="current-password" required></label>
<button type="submit">Log in</button>
</form>"""

# As on the real page, the values of a login appear with a delay, and not all at the same time.
_WELCOME = """\
<h1>Hailuo AI</h1>
<p role="status">Logging you in…</p>
<script>
  const { token, device, delay } = $values;
  document.cookie = "hailuo_seen=1; path=/; SameSite=Lax";
  setTimeout(() => localStorage.setItem("_token", token), delay);
  setTimeout(() => {
    localStorage.setItem("UNIQUE_USER_ID", device.uuid);
    localStorage.setItem("USER_HARD_WARE_INFO", device.device_id);
    document.querySelector("[role=status]").textContent = "You are logged in.";
  }, 1.5 * delay);
</script>"""


class Device(msgspec.Struct, frozen=True):
    """The device that a login belongs to."""

    uuid: str
    device_id: str


class _Values(msgspec.Struct):
    """The values for the page's script. `delay` is in milliseconds."""

    token: str
    device: Device
    delay: float


def login_page() -> EmulatorResponse:
    """The page with the login form."""
    return _page(_FORM)


def welcome_page(token: str, device: Device, delay: float, cookies: Headers) -> EmulatorResponse:
    """The page that stores a login in localStorage. `delay`: seconds until it stores the token."""
    values = msgspec.json.encode(_Values(token, device, delay * 1000)).decode()
    return _page(_WELCOME.replace("$values", values), cookies)


def _page(content: str, headers: Headers = ()) -> EmulatorResponse:
    page = _PAGE.replace("$content", content).encode()
    return bytes_response(page, "text/html; charset=utf-8", headers=(("cache-control", "no-store"), *headers))
