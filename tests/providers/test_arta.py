"""ARTA's requests, options, prompts and models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arta_sessions import (
    API_KEY,
    GENERATING,
    KEY_ALONE,
    REFRESH,
    SIGN_UP,
    SIGNED_UP,
    STATUS,
    SUBMIT,
    SUBMITTED,
    WAITING,
    arta,
    calls,
    done,
    issued,
    polled,
    status,
)
from modelwire.errors import InvalidInput
from modelwire.outputs import CredentialsChanged, ImageReady, JobAccepted, StatusChanged
from modelwire.provider import parse_options
from modelwire.providers.arta import PROVIDER, ArtaEndpoints, ArtaImage, ArtaOptions
from played_flow import NOW, begin, form, header_map, play


def test_the_steps_of_a_new_account() -> None:
    session = play(arta(credentials=KEY_ALONE), SIGNED_UP, SUBMITTED, status("IN_QUEUE"), status("IN_PROGRESS"), done())
    assert calls(session) == [SIGN_UP, SUBMIT, STATUS, STATUS, STATUS]
    assert session.outputs == [
        CredentialsChanged(
            {
                "api_key": API_KEY,
                "id_token": "id-token-1",
                "refresh_token": "refresh-token-1",
                "expires_in": 3600.0,
                "issued_at": NOW,
            }
        ),
        JobAccepted("record-1"),
        WAITING,
        GENERATING,
        StatusChanged("done", "Generated in 4.0 s"),
        ImageReady("https://images.example/1.png", 0),
    ]
    assert session.succeeded


def test_signing_up() -> None:
    request = begin(arta(credentials=KEY_ALONE)).request
    assert header_map(request) == {"content-type": "application/json"}
    assert json.loads(request.body) == {"clientType": "CLIENT_TYPE_ANDROID"}


def test_refreshing() -> None:
    session = begin(arta(credentials=issued(age=1800)))
    assert calls(session) == [REFRESH]
    assert header_map(session.request) == {"content-type": "application/x-www-form-urlencoded"}
    assert form(session.request) == [("grant_type", "refresh_token"), ("refresh_token", "issued-refresh-token")]


def test_submitting() -> None:
    request = begin(arta("Дракон & friends", options=ArtaOptions(seed=12345))).request
    assert header_map(request) == {
        "authorization": "issued-id-token",
        "content-type": "application/x-www-form-urlencoded",
    }
    assert form(request) == [
        ("prompt", "Дракон & friends"),
        ("negative_prompt", "blurry, deformed hands, ugly"),
        ("style", "Flux"),
        ("images_num", "1"),
        ("cfg_scale", "7"),
        ("steps", "30"),
        ("aspect_ratio", "1:1"),
        ("seed", "12345"),
    ]
    assert not request.repeatable


def test_polling() -> None:
    request = polled().request
    assert (request.method, request.url) == STATUS
    assert header_map(request) == {"authorization": "issued-id-token"}
    assert request.body == b""
    assert request.repeatable


def test_the_options() -> None:
    options = ArtaOptions(
        negative_prompt="", n=4, cfg_scale=7.5, steps=50, aspect_ratio="16:9", seed=0, client_type="IOS"
    )
    session = play(arta(credentials=KEY_ALONE, options=options), SIGNED_UP)
    assert json.loads(session.requests[0].body) == {"clientType": "IOS"}
    assert dict(form(session.request)) == {
        "prompt": "a dragon",
        "negative_prompt": "",
        "style": "Flux",
        "images_num": "4",
        "cfg_scale": "7.5",
        "steps": "50",
        "aspect_ratio": "16:9",
        "seed": "0",
    }


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("n", ["1", "100"], ["0", "101", "1.5"]),
        ("steps", ["1"], ["0", "many"]),
        ("cfg_scale", ["0", "7.5"], ["-1"]),
        ("aspect_ratio", ["16:9", "1:1"], ["wide", "16", "16:9:4", ":", "1\n:1", "1:1\n"]),
        ("seed", ["0", "99999999"], ["-1"]),
        ("poll_interval", ["0.1"], ["0", "0.05", "-2"]),
    ],
)
def test_valid_and_invalid_options(name: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        assert begin(arta(options=parse_options(ArtaOptions, {name: text}))).requests
    for text in bad:
        with pytest.raises(InvalidInput, match=name):
            parse_options(ArtaOptions, {name: text})


def test_the_endpoints_are_fields() -> None:
    base = "http://127.0.0.1:8000/arta"
    endpoints = ArtaEndpoints(identity=base, token=base, images=base)
    session = play(arta(credentials=KEY_ALONE, endpoints=endpoints), SIGNED_UP, SUBMITTED)
    assert [request.url.partition("?")[0] for request in session.requests] == [
        f"{base}/identitytoolkit/v3/relyingparty/signupNewUser",
        f"{base}/api/v1/text2image",
        f"{base}/api/v1/text2image/record-1/status",
    ]
    refresh = begin(arta(credentials=issued(age=1800), endpoints=endpoints)).request
    assert refresh.url == f"{base}/v1/token?key=AIza%2Fkey%2B1%3D"


def test_the_seed_is_drawn_between_9999_and_99999999() -> None:
    seeds = [int(dict(form(begin(arta(), entropy=b"%d" % i).request))["seed"]) for i in range(300)]
    assert all(9999 <= seed <= 99999999 for seed in seeds)
    assert min(seeds) < 5_000_000
    assert max(seeds) > 95_000_000
    assert len(set(seeds)) > 290


def test_the_prompt_is_the_given_one_else_the_last_user_message() -> None:
    messages = [
        {"role": "user", "content": "a cat"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": "a dragon"},
        {"role": "user", "content": " "},
        {"role": "user", "content": "in red"},
        {"role": "assistant", "content": "well"},
    ]
    request = begin(ArtaImage(messages=messages, credentials=issued(10))).request
    assert dict(form(request))["prompt"] == "a dragon\nin red"
    request = begin(ArtaImage(prompt="a dog", messages=messages, credentials=issued(10))).request
    assert dict(form(request))["prompt"] == "a dog"


@pytest.mark.parametrize(
    "messages", [(), "", " ", [{"role": "system", "content": "x"}], [{"role": "user", "content": ""}]]
)
def test_an_empty_prompt_is_refused(messages: Any) -> None:
    with pytest.raises(InvalidInput, match="empty"):
        ArtaImage(prompt=" ", messages=messages)


def test_a_prompt_that_utf8_cannot_carry_is_refused() -> None:
    with pytest.raises(InvalidInput, match="surrogate"):
        ArtaImage(prompt="\ud800")


MODELS = {
    "flux": "Flux",
    "medieval": "Medieval",
    "vincent-van-gogh": "Vincent Van Gogh",
    "f-dev": "F Dev",
    "flux-dev": "F Dev",
    "f-pro": "F Pro",
    "flux-pro": "F Pro",
    "low-poly": "Low Poly",
    "dreamshaper-xl": "Dreamshaper-xl",
    "anima-pencil-xl": "Anima-pencil-xl",
    "biomech": "Biomech",
    "trash-polka": "Trash Polka",
    "no-style": "No Style",
    "cheyenne-xl": "Cheyenne-xl",
    "chicano": "Chicano",
    "embroidery-tattoo": "Embroidery tattoo",
    "red-and-black": "Red and Black",
    "fantasy-art": "Fantasy Art",
    "watercolor": "Watercolor",
    "dotwork": "Dotwork",
    "old-school-colored": "Old school colored",
    "realistic-tattoo": "Realistic tattoo",
    "japanese-2": "Japanese_2",
    "realistic-stock-xl": "Realistic-stock-xl",
    "revanimated": "RevAnimated",
    "professional": "Professional",
    "anime": "Anime",
    "cinematic-art": "Cinematic Art",
    "sdxl-1.0": "SDXL 1.0",
    "sdxl-l": "SDXL L",
    "photographic": "Photographic",
    "surrealism": "Surrealism",
    "kawaii": "Kawaii",
    "juggernaut-xl": "Juggernaut-xl",
    "playground-xl": "Playground-xl",
    "katayama-mix-xl": "Katayama-mix-xl",
    "yamers-realistic-xl": "Yamers-realistic-xl",
    "pony-xl": "Pony-xl",
    "cor-epica-xl": "Cor-epica-xl",
    "anything-xl": "Anything-xl",
    "tattoo": "tattoo",
    "mini-tattoo": "Mini tattoo",
    "flame-design": "Flame design",
    "neo-traditional": "Neo-traditional",
    "old-school": "Old School",
    "new-school": "New School",
    "black-ink": "Black Ink",
    "on-limbs-black": "On limbs black",
    "on-limbs-color": "On limbs color",
    "graffiti": "Graffiti",
    "death-metal": "Death metal",
    "gpt4o": "GPT4o",
    "high-gpt4o": "High GPT4o",
    "gpt4o-ghibli": "GPT4o Ghibli",
}


def style_of(model: str | None, entropy: bytes = b"entropy") -> str:
    return dict(form(begin(arta(model=model), entropy=entropy).request))["style"]


@pytest.mark.parametrize(("alias", "style"), MODELS.items())
def test_a_model_by_its_alias_and_by_its_own_name(alias: str, style: str) -> None:
    assert style_of(alias) == style
    assert style_of(alias.upper()) == style
    assert style_of(style) == style


def test_there_are_these_models_and_gpt_image() -> None:
    assert set(ArtaImage.models or ()) == {*MODELS, "gpt-image"}


def test_gpt_image_draws_one_of_three() -> None:
    drawn = [style_of("gpt-image", b"%d" % i) for i in range(90)]
    assert set(drawn) == {"GPT4o", "High GPT4o", "GPT4o Ghibli"}
    assert min(drawn.count(style) for style in set(drawn)) > 15


def test_the_default_is_flux() -> None:
    assert style_of(None) == style_of("") == "Flux"


@pytest.mark.parametrize(
    ("model", "near"), [("fluks", "flux"), ("vincent", "vincent-van-gogh"), ("gpt-imag", "gpt-image")]
)
def test_any_other_is_refused_with_the_nearest(model: str, near: str) -> None:
    with pytest.raises(InvalidInput, match=f"unknown model '{model}' for ArtaImage: did you mean '{near}'"):
        arta(model=model)


def test_what_the_catalog_says() -> None:
    assert (PROVIDER.name, PROVIDER.label, PROVIDER.flows) == ("arta", "ARTA", {"image": ArtaImage})
    assert PROVIDER.environment == {"credentials.api_key": ("ARTA_API_KEY",)}
    assert "permission" in PROVIDER.note
