"""ARTA: an anonymous account, a job, and a status that is asked for until there are images.

The wire is described in `docs/wires.md`. No API key is in this repository: it is the user's own.
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
from modelwire.flow import NOT_SAVED, Flow, Phase, Steps
from modelwire.http import Request, Response, form_body, json_body, origin
from modelwire.json import JsonValue
from modelwire.messages import Message, Messages, as_messages, last_user_message
from modelwire.outputs import CredentialsChanged, ImageReady, JobAccepted, LoginRequired, StatusChanged
from modelwire.provider import Provider, resolve_model
from modelwire.redaction import printable

LABEL = "ARTA"
# Statuses by which the service says that the token is not, or no longer, good. The token service says 400 as well.
REFUSED = (401, 403)
REFRESH_REFUSED = (400, 401, 403)
# A clock that was set back a little does not make credentials unreadable.
CLOCK_SKEW = 300.0
LOWEST_SEED, HIGHEST_SEED = 9999, 99999999
# What can stand in a path without meaning anything there. Dots alone would climb out of it.
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
# Aliases that do not follow the rule of `alias_of`.
_OTHER_ALIASES = {
    "flux-dev": ("F Dev",),
    "flux-pro": ("F Pro",),
    "gpt-image": ("GPT4o", "High GPT4o", "GPT4o Ghibli"),
}


def require_url(url: str) -> str:
    """The URL of an image. Raises `RemoteProtocolError` for one that it cannot be fetched from."""
    try:
        origin(Request(method="GET", url=url).url)
    except InvalidInput:
        raise RemoteProtocolError("the job is done, but an image has no URL - at `$.response[...].url`") from None
    return url


def alias_of(style: str) -> str:
    """The name that users type for a style: in lower case, its words joined by dashes."""
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
    """What may be set. `n` is the number of images, `seed` is drawn if None, `poll_interval` is in seconds."""

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

    `expires_in` is the token's life in seconds, counted from `issued_at` (Unix time).
    """

    api_key: str = ""
    id_token: str = ""
    refresh_token: str = ""
    expires_in: float = 0.0
    issued_at: float = 0.0

    def __repr__(self) -> str:
        return f"ArtaCredentials(issued_at={self.issued_at}, expires_in={self.expires_in})"


# The wire: what comes back.


# No token is as good as none, and one that no header can carry would be kept for nothing.
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
    """A job was taken if there is a `record_id`, and surely not if there is one of the others."""

    record_id: str | int | None = None
    error: JsonValue = None
    message: JsonValue = None
    detail: JsonValue = None


class ImageResponse(msgspec.Struct):
    """Where one image is."""

    url: str


class StatusResponse(msgspec.Struct):
    """How far a job is."""

    status: str
    response: list[ImageResponse] | None = None


@dataclass(kw_only=True)
class ArtaImage(Flow):
    """An image job with ARTA: `StatusChanged` as it moves on, then an `ImageReady` for each image.

    `prompt` is what to draw, else the last user message of `messages`. Raises `InvalidInput` where both are empty,
    and for an unknown model. From `JobAccepted` on, a snapshot is enough to get the images, also in another process.
    """

    default_timeout: ClassVar[float] = 300.0
    models: ClassVar[dict[str, tuple[str, ...]]] = {alias_of(style): (style,) for style in STYLES} | _OTHER_ALIASES
    default_model: ClassVar[str] = "flux"

    prompt: str = field(default="", repr=False)
    messages: Messages = field(default=(), metadata={"stored": tuple[Message, ...]}, repr=False)
    model: str | None = None
    credentials_type: ClassVar[type[msgspec.Struct] | None] = ArtaCredentials
    credential_phases: ClassVar[frozenset[str]] = frozenset({"start", "refresh"})

    credentials: ArtaCredentials | None = field(default=None, metadata=NOT_SAVED, repr=False)
    options: ArtaOptions = ArtaOptions()
    endpoints: ArtaEndpoints = ArtaEndpoints()

    style: str = field(default="", init=False)
    seed: int = field(default=0, init=False)
    record_id: str = field(default="", init=False)
    submitted_at: float = field(default=0.0, init=False)
    # The status that was told last. Another process begins anew: whoever watches there has been told nothing.
    told: str = field(default="", init=False, metadata=NOT_SAVED)
    # A token was refused, and replaced; the new one has not been of use yet.
    was_renewed: bool = field(default=False, init=False, metadata=NOT_SAVED)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.prompt.strip():
            self.prompt = last_user_message(as_messages(self.messages or ""))
        as_messages(self.prompt)
        self.messages = ()
        resolve_model(self.models, self.model, self.default_model, LABEL)

    def start(self) -> Steps:
        """Settle what is left to chance, and see what the credentials are worth; sign up if that is not enough.

        A token is used while it is younger than half its life, and refreshed in the second half of it.
        """
        self.settle()
        held = self.credentials or ArtaCredentials()
        age = self.now - held.issued_at
        if held.id_token and -CLOCK_SKEW <= age < held.expires_in / 2:
            self.was_renewed = False  # it is another's: should it be refused, a new one may be had
            return self.next_phase()
        if held.refresh_token and held.expires_in / 2 <= age < held.expires_in:
            return self.refresh
        if not held.api_key:
            self.emit(LoginRequired(LABEL, PROVIDER.website))
            raise LoginRequiredError("ARTA needs an API key of your own: set ARTA_API_KEY, or 'modelwire login arta'")
        response = yield from self.fetch(partial(self.sign_up_request, held.api_key))
        self.keep(response.decode(SignUpResponse))
        return self.next_phase()

    def refresh(self) -> Steps:
        """Trade the refresh token for a new token; where that is refused, begin again with a new account."""
        response = yield from self.fetch(self.refresh_request, allow=REFRESH_REFUSED)
        if response.status in REFRESH_REFUSED:
            self.credentials = ArtaCredentials(api_key=self.held.api_key)
            return self.start
        self.keep(response.decode(RefreshResponse))
        return self.next_phase()

    def submit(self) -> Steps:
        """Ask for the images. What is lost from here on may have been paid for: this is sent once."""
        if not self.held.id_token:
            return self.start
        response = yield from self.fetch(self.submit_request, allow=REFUSED)
        if response.status in REFUSED:
            return self.renew(response)
        answer = response.decode(SubmitResponse)
        record_id = answer.record_id
        if not record_id and (answer.error or answer.message or answer.detail):
            raise JobFailed(f"the service took no job: {self.excerpt(response)}")
        self.record_id = self.require_record_id(str(record_id or ""))
        self.submitted_at = self.now
        self.was_renewed = False
        self.emit(JobAccepted(self.record_id))
        return self.poll

    def poll(self) -> Steps:
        """Ask how far the job is, until it is done. Each status is told when it changes."""
        if not self.held.id_token:
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
            if job.status != self.told:
                self.told = job.status
                self.emit(_PROGRESS[job.status])
            yield from self.sleep(self.options.poll_interval)

    def require_record_id(self, record_id: str) -> str:
        """The id of a job, which will stand in URLs. Raises `RemoteProtocolError` for one that cannot."""
        if not _RECORD_ID.fullmatch(record_id):
            raise RemoteProtocolError("the service gave no id of a job that can stand in a URL - at `$.record_id`")
        return record_id

    @property
    def held(self) -> ArtaCredentials:
        """The credentials, empty where there are none."""
        return self.credentials or ArtaCredentials()

    def settle(self) -> None:
        """Draw what the user left open, once: a job that is gone on with is the same job."""
        if self.style:
            return
        styles = resolve_model(self.models, self.model, self.default_model, LABEL)
        self.style = styles[0] if len(styles) == 1 else self.choice(styles)
        drawn = LOWEST_SEED + int(self.random() * (HIGHEST_SEED - LOWEST_SEED + 1))
        self.seed = drawn if self.options.seed is None else self.options.seed

    def next_phase(self) -> Phase:
        """What the token is wanted for."""
        return self.poll if self.record_id else self.submit

    def renew(self, response: Response) -> Phase:
        """A token was refused: refresh it, unless it is a new one."""
        if self.was_renewed or not (self.held.refresh_token or self.held.api_key):
            raise Refused(f"the service refuses a new token as well: {self.excerpt(response)}", status=response.status)
        self.was_renewed = True
        if self.held.refresh_token:
            return self.refresh
        self.credentials = ArtaCredentials(api_key=self.held.api_key)
        return self.start

    def keep(self, response: SignUpResponse | RefreshResponse) -> None:
        """Take new credentials, and tell them to the user together with when they were issued."""
        life = str(response.expires_in)
        if not re.fullmatch(r"[0-9]{1,9}", life):
            raise RemoteProtocolError("the token's life is not a number of seconds - at `$.expires_in`")
        self.conceal(response.id_token)
        self.conceal(response.refresh_token)
        self.credentials = ArtaCredentials(
            api_key=self.held.api_key,
            id_token=response.id_token,
            refresh_token=response.refresh_token,
            expires_in=float(life),
            issued_at=self.now,
        )
        self.emit(CredentialsChanged(msgspec.to_builtins(self.credentials)))

    def finish(self, job: StatusResponse) -> None:
        """The job is done: tell where its images are."""
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
            url=f"{self.endpoints.identity}{self.endpoints.sign_up_path}?key={quote(api_key, safe='')}",
            headers=(("content-type", "application/json"),),
            body=json_body({"clientType": self.options.client_type}),
            timeout=self.limits.silence,
        )

    def refresh_request(self) -> Request:
        """A new token for the account."""
        return Request(
            method="POST",
            url=f"{self.endpoints.token}{self.endpoints.refresh_path}?key={quote(self.held.api_key, safe='')}",
            headers=(("content-type", "application/x-www-form-urlencoded"),),
            body=form_body({"grant_type": "refresh_token", "refresh_token": self.held.refresh_token}),
            timeout=self.limits.silence,
        )

    def submit_request(self) -> Request:
        """The job."""
        options = self.options
        form = {
            "prompt": self.prompt,
            "negative_prompt": options.negative_prompt,
            "style": self.style,
            "images_num": str(options.n),
            "cfg_scale": f"{options.cfg_scale:g}",
            "steps": str(options.steps),
            "aspect_ratio": options.aspect_ratio,
            "seed": str(self.seed),
        }
        return Request(
            method="POST",
            url=self.endpoints.images + self.endpoints.submit_path,
            headers=(
                ("Authorization", self.held.id_token),
                ("content-type", "application/x-www-form-urlencoded"),
            ),
            body=form_body(form),
            timeout=self.limits.silence,
            repeatable=False,
        )

    def status_request(self) -> Request:
        """How far is it?"""
        record_id = self.require_record_id(self.record_id)
        return Request(
            method="GET",
            url=f"{self.endpoints.images}{self.endpoints.submit_path}/{record_id}/status",
            headers=(("Authorization", self.held.id_token),),
            timeout=self.limits.silence,
        )


# What a job does on its way. It may skip a state, or fall back into one; every other status ends it.
_PROGRESS = {
    "IN_QUEUE": StatusChanged("waiting", "Waiting"),
    "IN_PROGRESS": StatusChanged("generating", "Generating"),
}

PROVIDER = Provider(
    name="arta",
    label=LABEL,
    kind="image",
    flow=ArtaImage,
    models=ArtaImage.models,
    default_model=ArtaImage.default_model,
    options=ArtaOptions,
    endpoints=ArtaEndpoints,
    credentials=ArtaCredentials,
    secret_field="api_key",
    environment={"ARTA_API_KEY": "credentials.api_key"},
    website="https://ai-arta.com",
    answers="unknown",
    note="The operator asked client projects to remove it: use it with the operator's permission and your own key.",
)
