"""An image job by hand, for any client that can send a request: what ARTA's wire asks for, and no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from .running import Take

Headers = dict[str, str]
# Method, URL, headers and body in; the body of the response out.
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


async def do_job(url: str, send: Send, take: Take) -> None:
    """One job: six requests."""
    sign_up = f"{url}/identitytoolkit/v3/relyingparty/signupNewUser?key=emulated"
    asked = json.dumps({"clientType": "CLIENT_TYPE_ANDROID"}).encode()
    account = json.loads(await send("POST", sign_up, {"content-type": "application/json"}, asked))
    login = {"Authorization": account["idToken"]}
    form = {**login, "content-type": "application/x-www-form-urlencoded"}
    taken = json.loads(await send("POST", f"{url}/api/v1/text2image", form, urlencode(FORM).encode()))
    status_url = f"{url}/api/v1/text2image/{taken['record_id']}/status"
    while (status := json.loads(await send("GET", status_url, login, b"")))["status"] != "DONE":
        await asyncio.sleep(0)
    for image in status["response"]:
        take(await send("GET", image["url"], {"accept": "image/*"}, b""))
