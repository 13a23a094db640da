"""ARTA: an anonymous account, a job, and a status that is polled until there are images.

The wire is described in `docs/wires.md`. The API key is the user's own: none is in this repository.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, ClassVar
from urllib.parse import quote

import msgspec
from msgspec import Meta

from modelwire.errors import InvalidInput, JobFailed, LoginRequiredError, Refused, RemoteProtocolError
from modelwire.flow import NOT_SAVED, Phase, Steps, credentials_field
from modelwire.http import Request, Response, form_body, join_url, json_body, origin
from modelwire.image import ImageFlow
from modelwire.json import JsonValue
from modelwire.models import Models
from modelwire.outputs import CredentialsChanged, ImageReady, JobAccepted, LoginRequired, StatusChanged
from modelwire.provider import Provider
from modelwire.redaction import printable

LABEL = "ARTA"
# Statuses of a refused token. The token service also uses 400.
REFUSED = (401, 403)
REFRESH_REFUSED = (400, 401, 403)
# Seconds: credentials issued this far in the future are still used, because a clock may have been set back.
CLOCK_SKEW = 300.0
LOWEST_SEED, HIGHEST_SEED = 9999, 99999999
# Characters that are safe in a path. An id of dots alone would climb out of it.
_RECORD_ID = re.compile(r"(?!\.+$)[A-Za-z0-9._~-]{1,200}")

# fmt: off
STYLES = (
    "Flux", "Medieval", "Vincent Van Gogh", "F Dev", "F Pro", "Low Poly", "Dreamshaper-xl", "Anima-pencil-xl",
    "Biomech", "Trash Polka", "No Style", "Cheyenne-xl", "Chicano", "Embroidery tattoo", "Red and Black",
    "Fantasy Art", "Watercolor", "Dotwork", "Old school colored", "Realistic tattoo", "Japanese_2",
    "Realistic-stock-xl", "RevAnimated", "Professional", "Anime", "Cinematic Art", "SDXL 1.0", "SDXL L",
    "Photographic", "Surrealism", "Kawaii", "Juggernaut-xl", "Playground-xl", "Katayama-mix-xl",
    "Yamers-realistic-xl", "Pony-xl", "Cor-epica-xl", "Anything-xl", "tattoo", "Mini tattoo", "Flame design",
    "Neo-traditional", "Old School", "New School", "Black Ink", "On limbs black", "On limbs color", "Graffiti",
    "Death metal", "GPT4o", "High GPT4o", "GPT4o Ghibli",
)
# fmt: on
# Aliases that do not follow the rule of `alias_of`. One of several styles is drawn.
_OTHER_ALIASES = {
    "flux-dev": ("F Dev",),
    "flux-pro": ("F Pro",),
    "gpt-image": ("GPT4o", "High GPT4o", "GPT4o Ghibli"),
}


def require_url(url: str) -> str:
    """The URL of an image. Raises `RemoteProtocolError` if nothing can be fetched from it."""
    try:
        origin(Request(method="GET", url=url).url)
    except InvalidInput:
        raise RemoteProtocolError("the job is done, but an image has no URL - at `$.response[...].url`") from None
    return url


def alias_of(style: str) -> str:
    """The name that users type for a style: in lower case, words joined by dashes."""
    return re.sub(r"[ _]", "-", style).lower()


class ArtaEndpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where the service is: three hosts, and the paths on them."""

    identity: str = "https://www.googleapis.com"
    token: str = "https://securetoken.googleapis.com"
    images: str = "https://img-gen-prod.ai-arta.com"
    sign_up_path: str = "/identitytoolkit/v3/relyingparty/signupNewUser"
    refresh_path: str = "/v1/token"
    submit_path: str = "/api/v1/text2image"


class ArtaOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options. `n` is the number of images, `seed` is drawn if None, `poll_interval` is in seconds."""

    negative_prompt: str = "blurry, deformed hands, ugly"
    n: Annotated[int, Meta(ge=1, le=100)] = 1
    cfg_scale: Annotated[float, Meta(ge=0)] = 7
    steps: Annotated[int, Meta(ge=1)] = 30
    aspect_ratio: Annotated[str, Meta(pattern=r"^[0-9]{1,4}:[0-9]{1,4}\Z")] = "1:1"
    seed: Annotated[int, Meta(ge=0)] | None = None
    poll_interval: Annotated[float, Meta(ge=0.1)] = 2.0
    client_type: str = "CLIENT_TYPE_ANDROID"


class ArtaCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """The user's own API key, and the anonymous account that was made with it.

    `expires_in` is the lifetime of the token in seconds, from `issued_at` (Unix time).
    """

    api_key: str = ""
    id_token: str = ""
    refresh_token: str = ""
    expires_in: float = 0.0
    issued_at: float = 0.0

    def __repr__(self) -> str:
        return f"ArtaCredentials(issued_at={self.issued_at}, expires_in={self.expires_in})"


# The wire: the responses.


# An empty token, or one with characters that no header can carry, is refused.
Token = Annotated[str, Meta(pattern=r"^[!-~]+\Z")]


class SignUpResponse(msgspec.Struct, rename="camel"):
    """A new anonymous account."""

    id_token: Token
    refresh_token: str
    expires_in: str | int


class RefreshResponse(msgspec.Struct):
    """A new token for an account."""

    id_token: Token
    refresh_token: str
    expires_in: str | int


class SubmitResponse(msgspec.Struct):
    """The service accepted the job if there is a `record_id`, and refused it if there is one of the others."""

    record_id: str | int | None = None
    error: JsonValue = None
    message: JsonValue = None
    detail: JsonValue = None


class ImageResponse(msgspec.Struct):
    """The address of one image."""

    url: str


class StatusResponse(msgspec.Struct):
    """The state of a job."""

    status: str
    response: list[ImageResponse] | None = None


@dataclass(kw_only=True)
class ArtaImage(ImageFlow):
    """An image job with ARTA: a `StatusChanged` for each change, then an `ImageReady` for each image.

    From `JobAccepted` on, a snapshot is enough to get the images, also in another process.
    """

    version: ClassVar[int] = 2
    models: ClassVar[Models] = {alias_of(style): (style,) for style in STYLES} | _OTHER_ALIASES
    default_model: ClassVar[str | None] = "flux"

    credential_phases: ClassVar[frozenset[str]] = frozenset({"start", "refresh"})

    credentials: ArtaCredentials | None = credentials_field()
    options: ArtaOptions = ArtaOptions()
    endpoints: ArtaEndpoints = ArtaEndpoints()

    seed: int = field(default=0, init=False)
    record_id: str = field(default="", init=False)
    submitted_at: float = field(default=0.0, init=False)
    # The last status emitted. Not saved: after a restore the user has seen nothing yet.
    emitted_status: str = field(default="", init=False, metadata=NOT_SAVED)
    # A token was refused and replaced, and the new one has not been accepted yet.
    was_renewed: bool = field(default=False, init=False, metadata=NOT_SAVED)

    def start(self) -> Steps:
        """Draw what the user left open, and check the credentials; sign up if they are not enough.

        A token is used in the first half of its lifetime, and refreshed in the second half.
        """
        self.draw_choices()
        account = self.account
        age = self.now - account.issued_at
        if account.id_token and -CLOCK_SKEW <= age < account.expires_in / 2:
            self.was_renewed = False  # this token was not issued to this flow: if it is refused, it may be renewed
            return self.next_phase()
        if account.refresh_token and account.expires_in / 2 <= age < account.expires_in:
            return self.refresh
        if not account.api_key:
            self.emit(LoginRequired(LABEL, PROVIDER.website))
            raise LoginRequiredError("ARTA needs an API key of your own: set ARTA_API_KEY, or supply credentials")
        response = yield from self.fetch(partial(self.sign_up_request, account.api_key))
        self.use_token(response.decode(SignUpResponse))
        return self.next_phase()

    def refresh(self) -> Steps:
        """Trade the refresh token for a new token; if that is refused, begin again with a new account."""
        response = yield from self.fetch(self.refresh_request, allow=REFRESH_REFUSED)
        if response.status in REFRESH_REFUSED:
            self.credentials = ArtaCredentials(api_key=self.account.api_key)
            return self.start
        self.use_token(response.decode(RefreshResponse))
        return self.next_phase()

    def submit(self) -> Steps:
        """Ask for the images. This may cost money, so it is sent once."""
        if not self.account.id_token:
            return self.start
        response = yield from self.fetch(self.submit_request, allow=REFUSED)
        if response.status in REFUSED:
            return self.renew(response)
        submitted = response.decode(SubmitResponse)
        record_id = submitted.record_id
        if not record_id and (submitted.error or submitted.message or submitted.detail):
            raise JobFailed(f"the service did not accept the job: {self.excerpt(response)}")
        self.record_id = self.require_record_id(str(record_id or ""))
        self.submitted_at = self.now
        self.was_renewed = False
        self.emit(JobAccepted(self.record_id))
        return self.poll

    def poll(self) -> Steps:
        """Poll the job until it is done. Each change of its status is emitted."""
        if not self.account.id_token:
            return self.start
        while True:
            response = yield from self.fetch(self.status_request, allow=REFUSED)
            if response.status in REFUSED:
                return self.renew(response)
            self.was_renewed = False
            job = response.decode(StatusResponse)
            if job.status == "DONE":
                self.finish(job)
                return None
            if job.status not in _PROGRESS:
                raise JobFailed(f"the job ended with status {printable(job.status, 60)!r}")
            if job.status != self.emitted_status:
                self.emitted_status = job.status
                self.emit(_PROGRESS[job.status])
            yield from self.sleep(self.options.poll_interval)

    def require_record_id(self, record_id: str) -> str:
        """The id of a job, which stands in URLs. Raises `RemoteProtocolError` if it is not safe there."""
        if not _RECORD_ID.fullmatch(record_id):
            raise RemoteProtocolError("the id of the job is missing, or not safe in a URL - at `$.record_id`")
        return record_id

    @property
    def account(self) -> ArtaCredentials:
        """The credentials, or empty ones."""
        return self.credentials or ArtaCredentials()

    def draw_choices(self) -> None:
        """Draw what the user left open, once: a job that is continued is the same job."""
        if self.chosen_model:
            return
        self.choose_model()
        drawn = LOWEST_SEED + int(self.random() * (HIGHEST_SEED - LOWEST_SEED + 1))
        self.seed = drawn if self.options.seed is None else self.options.seed

    def next_phase(self) -> Phase:
        """The phase that needs the token."""
        return self.poll if self.record_id else self.submit

    def renew(self, response: Response) -> Phase:
        """Refresh a token that was refused, unless it is new."""
        if self.was_renewed or not (self.account.refresh_token or self.account.api_key):
            raise Refused(f"the service refuses even a new token: {self.excerpt(response)}", status=response.status)
        self.was_renewed = True
        if self.account.refresh_token:
            return self.refresh
        self.credentials = ArtaCredentials(api_key=self.account.api_key)
        return self.start

    def use_token(self, response: SignUpResponse | RefreshResponse) -> None:
        """Use new credentials, and emit them with the time of their issue."""
        lifetime = str(response.expires_in)
        if not re.fullmatch(r"[0-9]{1,9}", lifetime):
            raise RemoteProtocolError("the token's lifetime is not a number of seconds - at `$.expires_in`")
        self.conceal(response.id_token)
        self.conceal(response.refresh_token)
        self.credentials = ArtaCredentials(
            api_key=self.account.api_key,
            id_token=response.id_token,
            refresh_token=response.refresh_token,
            expires_in=float(lifetime),
            issued_at=self.now,
        )
        self.emit(CredentialsChanged(msgspec.to_builtins(self.credentials)))

    def finish(self, job: StatusResponse) -> None:
        """Emit the images of a job that is done."""
        if not job.response:
            raise JobFailed("the job is done, but there is no image")
        for image in job.response:
            require_url(image.url)
        self.emit(StatusChanged("done", f"Generated in {self.now - self.submitted_at:.1f} s"))
        for index, image in enumerate(job.response):
            self.emit(ImageReady(image.url, index))

    def sign_up_request(self, api_key: str) -> Request:
        """A new anonymous account."""
        return Request(
            method="POST",
            url=join_url(self.endpoints.identity, f"{self.endpoints.sign_up_path}?key={quote(api_key, safe='')}"),
            headers=(("content-type", "application/json"),),
            body=json_body({"clientType": self.options.client_type}),
        )

    def refresh_request(self) -> Request:
        """A new token for the account."""
        return Request(
            method="POST",
            url=join_url(
                self.endpoints.token, f"{self.endpoints.refresh_path}?key={quote(self.account.api_key, safe='')}"
            ),
            headers=(("content-type", "application/x-www-form-urlencoded"),),
            body=form_body({"grant_type": "refresh_token", "refresh_token": self.account.refresh_token}),
        )

    def submit_request(self) -> Request:
        """The job."""
        options = self.options
        form = {
            "prompt": self.prompt,
            "negative_prompt": options.negative_prompt,
            "style": self.wire_model,
            "images_num": str(options.n),
            "cfg_scale": f"{options.cfg_scale:g}",
            "steps": str(options.steps),
            "aspect_ratio": options.aspect_ratio,
            "seed": str(self.seed),
        }
        return Request(
            method="POST",
            url=join_url(self.endpoints.images, self.endpoints.submit_path),
            headers=(
                ("Authorization", self.account.id_token),
                ("content-type", "application/x-www-form-urlencoded"),
            ),
            body=form_body(form),
            repeatable=False,
        )

    def status_request(self) -> Request:
        """The state of the job."""
        record_id = self.require_record_id(self.record_id)
        return Request(
            method="GET",
            url=join_url(self.endpoints.images, f"{self.endpoints.submit_path}/{record_id}/status"),
            headers=(("Authorization", self.account.id_token),),
        )


# The states of a job under way. It may skip one, or fall back into one; every other status ends it.
_PROGRESS = {
    "IN_QUEUE": StatusChanged("waiting", "Waiting"),
    "IN_PROGRESS": StatusChanged("generating", "Generating"),
}

PROVIDER = Provider(
    name="arta",
    label=LABEL,
    image=ArtaImage,
    endpoints=ArtaEndpoints(),
    secret_field="api_key",
    environment={"credentials.api_key": ("ARTA_API_KEY",)},
    website="https://ai-arta.com",
    status="unknown",
    note="The operator asked client projects to remove it: use it with the operator's permission and your own key.",
)
