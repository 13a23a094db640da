"""The emulator of ARTA: anonymous accounts, jobs that take time, and their images.

It serves the paths of all three hosts of the real service.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from .emulator import DEFAULT_BEHAVIOUR, Behaviour, EmulatorRequest, EmulatorResponse
from .parts.expiring_dict import ExpiringDict
from .parts.png import SIZE, draw
from .parts.requests import EmulatorRoute, StrictRequest, required, respond, whole_number
from .parts.responses import HttpRefusal, bytes_response, json_response
from .parts.token_factory import TokenFactory

# Jobs and accounts remembered: beyond that the oldest are dropped. Images in one job.
MAX_JOBS = 1000
MAX_ACCOUNTS = 10_000
MAX_IMAGES = 8
# Pixels: least width and height of an image.
MIN_SIDE = 32

# fmt: off
STYLES = frozenset((
    "Anima-pencil-xl", "Anime", "Anything-xl", "Biomech", "Black Ink", "Cheyenne-xl", "Chicano", "Cinematic Art",
    "Cor-epica-xl", "Death metal", "Dotwork", "Dreamshaper-xl", "Embroidery tattoo", "F Dev", "F Pro", "Fantasy Art",
    "Flame design", "Flux", "GPT4o", "GPT4o Ghibli", "Graffiti", "High GPT4o", "Japanese_2", "Juggernaut-xl",
    "Katayama-mix-xl", "Kawaii", "Low Poly", "Medieval", "Mini tattoo", "Neo-traditional", "New School", "No Style",
    "Old School", "Old school colored", "On limbs black", "On limbs color", "Photographic", "Playground-xl", "Pony-xl",
    "Professional", "Realistic tattoo", "Realistic-stock-xl", "Red and Black", "RevAnimated", "SDXL 1.0", "SDXL L",
    "Surrealism", "Trash Polka", "Vincent Van Gogh", "Watercolor", "Yamers-realistic-xl", "tattoo",
))
# fmt: on
_ASPECT_RATIO = re.compile(r"([1-9][0-9]{0,3}):([1-9][0-9]{0,3})")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_STATUS_PATH = "/api/v1/text2image/(?P<record_id>[0-9a-f]{32})/status"
_IMAGE_PATH = r"/images/(?P<record_id>[0-9a-f]{32})/(?P<index>[0-9])\.png"


class SignUp(msgspec.Struct, rename="camel"):
    """The body of a sign-up."""

    client_type: Literal["CLIENT_TYPE_ANDROID"]


class NewAccount(msgspec.Struct, rename="camel"):
    """A new account."""

    id_token: str
    refresh_token: str
    expires_in: str
    local_id: str
    kind: str = "identitytoolkit#SignupNewUserResponse"


class RefreshedTokens(msgspec.Struct):
    """New tokens for an account."""

    id_token: str
    refresh_token: str
    expires_in: str
    user_id: str
    token_type: str = "Bearer"


class ImageLocation(msgspec.Struct):
    """The address of one image."""

    url: str


class JobStatus(msgspec.Struct):
    """The progress of a job, and its images if it is done."""

    record_id: str
    status: str
    response: list[ImageLocation]


class Job(msgspec.Struct):
    """The request for some images. `submitted_at` is Unix time, in seconds."""

    prompt: str
    style: str
    seed: int
    images: int
    width: int
    height: int
    submitted_at: float


class ArtaEmulator:
    """ARTA, emulated. It accepts any API key, and remembers accounts and jobs."""

    def __init__(self, behaviour: Behaviour = DEFAULT_BEHAVIOUR, entropy: bytes = b"arta") -> None:
        self._behaviour = behaviour
        self._token_factory = TokenFactory(entropy)
        self._id_tokens: ExpiringDict[str] = ExpiringDict(MAX_ACCOUNTS)  # the account, by token
        self._refresh_tokens: ExpiringDict[str] = ExpiringDict(MAX_ACCOUNTS)
        self._jobs: ExpiringDict[Job] = ExpiringDict(MAX_JOBS)
        self._routes = (
            EmulatorRoute("POST", "/identitytoolkit/v3/relyingparty/signupNewUser", self._sign_up),
            EmulatorRoute("POST", "/v1/token", self._refresh),
            EmulatorRoute("POST", "/api/v1/text2image", self._submit),
            EmulatorRoute("GET", _STATUS_PATH, self._status),
            EmulatorRoute("GET", _IMAGE_PATH, self._image),
        )

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        return respond(request, now, self._routes)

    def _sign_up(self, request: StrictRequest, now: float) -> EmulatorResponse:
        request.query_field("key")
        request.json(SignUp)
        account = self._token_factory.make("account")
        return json_response(NewAccount(*self._issue_tokens(account, now), account))

    def _refresh(self, request: StrictRequest, now: float) -> EmulatorResponse:
        request.query_field("key")
        form = request.form()
        if required(form, "grant_type", "the form") != "refresh_token":
            raise HttpRefusal(400, "the form's field 'grant_type' must be 'refresh_token'")
        account = self._refresh_tokens.pop(required(form, "refresh_token", "the form"), now)
        if account is None:
            raise HttpRefusal(403, "the form's field 'refresh_token' is unknown or already used")
        return json_response(RefreshedTokens(*self._issue_tokens(account, now), account))

    def _issue_tokens(self, account: str, now: float) -> tuple[str, str, str]:
        """A new id token and refresh token for an account, and the lifetime of the id token: seconds, as text."""
        id_token, refresh_token = self._token_factory.make("id token"), self._token_factory.make("refresh token")
        self._id_tokens.put(id_token, account, now, self._behaviour.token_life)
        self._refresh_tokens.put(refresh_token, account, now)
        return id_token, refresh_token, f"{self._behaviour.token_life:.0f}"

    def _submit(self, request: StrictRequest, now: float) -> EmulatorResponse:
        self._check_login(request, now)
        job = _read_job(request.form(), now)
        record_id = self._token_factory.make("job")
        self._jobs.put(record_id, job, now)
        return json_response({"record_id": record_id})

    def _status(self, request: StrictRequest, now: float, record_id: str) -> EmulatorResponse:
        self._check_login(request, now)
        job = self._find_job(record_id, now)
        status = self._stage(job, now)
        urls = [f"{request.base_url}/images/{record_id}/{index}.png" for index in range(job.images)]
        images = [ImageLocation(url) for url in urls] if status == "DONE" else []
        return json_response(JobStatus(record_id, status, images))

    def _image(self, request: StrictRequest, now: float, record_id: str, index: str) -> EmulatorResponse:
        job = self._find_job(record_id, now)
        if int(index) >= job.images or self._stage(job, now) != "DONE":
            raise HttpRefusal(404, f"the job has no image {index}, or is not done")
        picture = draw(f"{job.style}: {job.prompt}", job.seed + int(index), job.width, job.height)
        return bytes_response(picture, "image/png")

    def _check_login(self, request: StrictRequest, now: float) -> None:
        if self._id_tokens.get(request.header("Authorization", 401), now) is None:
            raise HttpRefusal(401, "the header 'Authorization' holds no idToken, or an expired one")

    def _find_job(self, record_id: str, now: float) -> Job:
        job = self._jobs.get(record_id, now)
        if job is None:
            raise HttpRefusal(404, "there is no job with this id")
        return job

    def _stage(self, job: Job, now: float) -> str:
        age = now - job.submitted_at
        if age < self._behaviour.queue:
            return "IN_QUEUE"
        return "IN_PROGRESS" if age < self._behaviour.queue + self._behaviour.work else "DONE"


def _read_job(form: dict[str, str], now: float) -> Job:
    """The job that a form describes. Raises `HttpRefusal` for a wrong field."""
    required(form, "negative_prompt", "the form", may_be_empty=True)
    style = required(form, "style", "the form")
    if style not in STYLES:
        raise HttpRefusal(400, "the form's field 'style' is not the name of a style")
    if not _DECIMAL.fullmatch(required(form, "cfg_scale", "the form")):
        raise HttpRefusal(400, "the form's field 'cfg_scale' must be a number of at least 0")
    _number(form, "steps", 1, 1000)
    width, height = _size(required(form, "aspect_ratio", "the form"))
    return Job(
        prompt=required(form, "prompt", "the form"),
        style=style,
        seed=_number(form, "seed", 0, 10**15),
        images=_number(form, "images_num", 1, MAX_IMAGES),
        width=width,
        height=height,
        submitted_at=now,
    )


def _number(form: dict[str, str], name: str, lowest: int, highest: int) -> int:
    text = required(form, name, "the form")
    return whole_number(text, f"the form's field {name!r}", lowest=lowest, highest=highest)


def _size(aspect_ratio: str) -> tuple[int, int]:
    """Width and height in pixels. The longer side is `SIZE`."""
    matched = _ASPECT_RATIO.fullmatch(aspect_ratio)
    if matched is None:
        raise HttpRefusal(400, "the form's field 'aspect_ratio' must be two whole numbers with a colon, like 16:9")
    across, down = int(matched[1]), int(matched[2])
    longer = max(across, down)
    return max(MIN_SIDE, SIZE * across // longer), max(MIN_SIDE, SIZE * down // longer)
