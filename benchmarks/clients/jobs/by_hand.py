"""An image job on ARTA's wire written by hand, for any client that can send a request; it checks nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from clients.runners import OnOutput

Headers = dict[str, str]
# Takes method, URL, headers and body; returns the body of the response.
Send = Callable[[str, str, Headers, bytes], Awaitable[bytes]]

FORM = {
    "prompt": "a dragon",
    "negative_prompt": "blurry, deformed hands, ugly",
    "style": "Flux",
    "images_num": "1",
    "cfg_scale": "7",
    "steps": "30",
    "aspect_ratio": "1:1",
    "seed": "123456",
}


async def do_job(url: str, send: Send, on_output: OnOutput) -> None:
    """Sign up, submit, poll until the job is done, and download: six requests."""
    sign_up = f"{url}/identitytoolkit/v3/relyingparty/signupNewUser?key=emulated"
    client_type = json.dumps({"clientType": "CLIENT_TYPE_ANDROID"}).encode()
    account = json.loads(await send("POST", sign_up, {"content-type": "application/json"}, client_type))
    login = {"Authorization": account["idToken"]}
    form = {**login, "content-type": "application/x-www-form-urlencoded"}
    accepted = json.loads(await send("POST", f"{url}/api/v1/text2image", form, urlencode(FORM).encode()))
    status_url = f"{url}/api/v1/text2image/{accepted['record_id']}/status"
    while (status := json.loads(await send("GET", status_url, login, b"")))["status"] != "DONE":
        await asyncio.sleep(0)
    for image in status["response"]:
        on_output(await send("GET", image["url"], {"accept": "image/*"}, b""))
