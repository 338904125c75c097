"""What counts as a credential, where it stands in a text, and that finding it takes linear time."""

from __future__ import annotations

import base64
import html
import json
import time
from urllib.parse import quote

import pytest

from pytest_mipro.runtime.text.credential_spans import echoed_credential
from pytest_mipro.runtime.text.credentials import can_be_secret, credentials, public_texts
from pytest_mipro.runtime.text.redaction import HIDDEN, hide_secrets, one_line

KEY = "qX7/vb+Nw2&Zk41mR9tLd0"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.mark.parametrize(
    "value",
    [
        *("none", "postgres", "delivery", "EMPTY", "changeme", "created_at", "deliveryStatus"),
        *("local-dev-key", "not-needed", "", "1234567", "1234567890", "2024-02-01", "12:30:45.5"),
    ],
)
def test_what_can_be_no_secret_is_none(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not can_be_secret(value)
    monkeypatch.setenv("SORT_KEY", value)
    assert hide_secrets(f"queue: {value}.") == f"queue: {value}."
    assert not echoed_credential([f"queue: {value}."])


@pytest.mark.parametrize(
    "value",
    [
        *("Summer2026", "correct-horse-battery-staple", "xkqzvbnmwrtp", "abcdefghijklmnopqrst"),
        *("a8Kd0-22", "p@ssw0rd", "AKIAIOSFODNN7EXAMPLE"),
    ],
)
def test_what_can_be_a_secret_is_hidden(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", value)
    assert hide_secrets(f"refused {value}.") == f"refused {HIDDEN}."
    assert echoed_credential([f"refused {value}."]) == value


FORMS = {
    "plain": KEY,
    "hex": KEY.encode().hex(),
    "upper hex": KEY.encode().hex().upper(),
    "percent": quote(KEY, safe=""),
    "every percent": "".join(f"%{ord(c):02X}" for c in KEY),
    "json unicode": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "html numbers": "".join(f"&#{ord(c)};" for c in KEY),
    "html hex numbers": "".join(f"&#x{ord(c):X};" for c in KEY),
    "python bytes": "".join(f"\\x{ord(c):02x}" for c in KEY),
    "html": html.escape(KEY),
    "nested json": json.dumps({"body": json.dumps({"key": KEY})}),
    "base64": b64(KEY),
    "base64 within": b64(f"user:{KEY}"),
    "base64 of a URL": base64.urlsafe_b64encode(f"id:{KEY};".encode()).decode(),
    "double base64": b64(b64(KEY)),
    "double base64 within": b64(f"x{b64('user:' + KEY)}"),
    "reversed": KEY[::-1],
    "upper": KEY.upper(),
    "lower": KEY.lower(),
    "first half": KEY[: len(KEY) // 2],
    "second half": KEY[-(len(KEY) // 2) :],
    "most of it": KEY[2:],
    "half in base64": b64(KEY)[:18],
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_hidden_and_is_an_echo(form: str) -> None:
    text = f"I was called with {FORMS[form]} today, İstanbul"
    assert echoed_credential([text]) == KEY
    hidden = hide_secrets(text)
    assert HIDDEN in hidden
    assert hidden.startswith("I was called with ")
    assert hidden.endswith(" today, İstanbul")
    assert not echoed_credential([hidden])


@pytest.mark.parametrize("mask", ["****", "...", "…", "xxxx", "••••"])
def test_a_masked_key_is_hidden_in_an_error(mask: str) -> None:
    assert one_line(f"wrong key {KEY[:4]}{mask}{KEY[-4:]} sent") == f"wrong key {HIDDEN} sent"
    assert one_line(f"wrong key {KEY[:9]}{mask} sent") == f"wrong key {HIDDEN} sent"


@pytest.mark.parametrize(
    "text",
    [
        *("a basic functionality", "bearer of good news", "sk-learn and hf_transformers", "qX7..."),
        *("github_pat_tokens_of_every_developer", "glpat-tokens-of-all-developers", "ASIAN"),
        *("see task-oriented work", f"a {KEY[:7]} of it", "key=none", "https://host/path@home"),
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert hide_secrets(text) == text
    assert not echoed_credential([text])


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("https://host/v1?api-version=2024-02-01-preview", "it is due on 2024-02-01"),
        ("https://host/v1?lang=de-DE-1996&channel=support-2", "channel support-2 in de-DE-1996"),
        ("postgres://postgres:postgres@localhost/db", "use postgres:16 or postgres: the latest"),
    ],
)
def test_what_an_address_says_beside_its_credentials_is_no_secret(
    address: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_URL", address)
    assert not echoed_credential([text])
    assert hide_secrets(text) == text


def test_a_date_or_number_within_a_secret_is_no_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_TOKEN", "2024-02-01-qZk41mR9t")
    assert not echoed_credential(["due 2024-02-01, order 2024-02-0"])
    assert echoed_credential(["2024-02-01-qZk4"])


def test_a_user_name_without_a_password_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPO_URL", "https://tok3n-of-2026@host/repo")
    assert "tok3n-of-2026" in credentials()


def test_half_of_a_phrase_is_no_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_TOKEN", "local-development-only-please")
    assert not echoed_credential(["a local development; local-develop it"])
    assert echoed_credential(["local-development-only-please"])


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("http://user:pw@host/v1", "http://[hidden]@host/v1"),
        ("GET /v1?api-key=abc&n=1", "GET /v1?api-key=[hidden]&n=1"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer [hidden]"),
        ("key sk-proj-0123456789abcdef is", "key [hidden] is"),
        ("key sk-ab*******yz is", "key [hidden] is"),
        ("AKIAIOSFODNN7EXAMPLE is", "[hidden] is"),
        ("ASIAIOSFODNN7EXAMPLE is", "[hidden] is"),
        ("github_pat_11ABCDEFG0abcdefghijkl_mnop is", "[hidden] is"),
        ("glpat-abcdefghij1234567890 is", "[hidden] is"),
    ],
)
def test_the_shapes_of_credentials_are_hidden(text: str, hidden: str) -> None:
    assert hide_secrets(text) == hidden
    assert hide_secrets(hidden) == hidden


def test_what_the_repo_shows_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTITION_KEY", "queue2-of-desk7")
    assert "queue2-of-desk7" in credentials()
    with public_texts(lambda: ['{"label": "queue2-of-desk7"}']):
        assert credentials() == {KEY}
        assert hide_secrets("got queue2-of-desk7") == "got queue2-of-desk7"
    assert "queue2-of-desk7" in credentials()


def test_what_stands_in_the_request_is_no_echo() -> None:
    assert not echoed_credential([f"you said {KEY}"], public=[f"my key is {KEY}"])


def test_an_endpoint_s_address_holds_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_URL", "https://desk:w0rd-of-2026@host/v1?sig=a8Kd0-22")
    assert {"w0rd-of-2026", "desk:w0rd-of-2026", "a8Kd0-22"} <= credentials()


NEAR_MISSES = [
    KEY[:10],
    KEY[1:],
    "qx7****",
    "qx7",
    "sk-",
    "eyJ-",
    "eyJabcdefgh.",
    "a**b",
    "bearer ",
    "://a",
    "?token",
    KEY[:-1] + "!",
]


@pytest.mark.parametrize("part", NEAR_MISSES)
def test_many_near_misses_take_linear_time(part: str) -> None:
    text = part * (200_000 // len(part))
    started = time.process_time()
    hide_secrets(text)
    echoed_credential([text])
    assert time.process_time() - started < 8  # a search in quadratic time takes minutes


def test_a_long_error_is_bounded_before_it_is_searched() -> None:
    started = time.process_time()
    assert len(one_line(f"{KEY[:7]}** " * 1_000_000)) == 300
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AZURE_OPENAI_API_KEY_EASTUS", "0123456789abcdef0123456789abcdef"),
        ("OPENAI_KEY_2", "Zx9kLmQ2pR7sT4vW"),
        ("DB_PASS", "hunter2hunter2X9"),
        ("MY_CREDENTIALS", "Zx9kLmQ2pR7sT4vW"),
    ],
)
def test_variables_named_like_a_credential_hold_one(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert hide_secrets(f"refused {value}.") == f"refused {HIDDEN}."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOOGLE_APPLICATION_CREDENTIALS", "/srv/desk2/account-of-2026"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "secrets/desk2-account-of-2026.json"),
        ("API_KEY_FILE", "desk2-keys-of-2026-spring"),
        ("SORT_KEY_COLUMN", "customer-of-queue"),
        ("TOKEN_LIMIT", "1000000000000000000"),
        ("KEY_ROTATION", "every 30 days, at noon"),
        ("BYPASS", "desk2-keys-of-2026-spring"),
        ("MAX_TOKENS_2", "desk2-keys-of-2026-spring"),
        ("OPENAI_KEY_DEPLOYMENT", "gpt4omini20240718east"),
        ("CACHE_KEY_EAST", "us-east-1-production-2"),
        ("TOKEN_MODEL_2", "gpt-4o-mini-2024-07-18"),
    ],
)
def test_variables_that_only_tell_of_a_credential_hold_none(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert hide_secrets(f"found {value}.") == f"found {value}."


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "mysql+pymysql", "MariaDB"])
def test_a_database_s_password_may_hold_a_slash(scheme: str) -> None:
    url = f"{scheme}://me:S3cr/et@x@host/base"
    assert hide_secrets(f"no {url}, a@b") == f"no {scheme}://{HIDDEN}@host/base, a@b"
    assert hide_secrets("https://host/@scope/name") == "https://host/@scope/name"


def test_an_address_s_password_is_a_credential_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MIPRO_STORAGE_URL", "mysql://me:S3cr/et+Zq9xK@host/base")
    assert hide_secrets("refused S3cr/et+Zq9xK.") == f"refused {HIDDEN}."
    monkeypatch.setenv("MIPRO_STORAGE_URL", "mysql://host/base?password=S3cr@et+Zq9xK")
    assert hide_secrets("refused S3cr@et Zq9xK.") == f"refused {HIDDEN}."
    monkeypatch.setenv("MIPRO_STORAGE_URL", "https://host/a?key=S3cr@et-Zq9xK#x")
    assert hide_secrets("refused S3cr@et-Zq9xK.") == f"refused {HIDDEN}."


@pytest.mark.parametrize("query", ["?options=a@b", "?user=me@server", "#a@b"])
def test_an_at_sign_behind_a_password_does_not_show_it(
    query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIPRO_STORAGE_URL", f"postgresql://me:S3cr/et+Zq9xK@host/base{query}")
    assert hide_secrets("refused S3cr/et+Zq9xK.") == f"refused {HIDDEN}."


@pytest.mark.parametrize("address", ["git+https://host.org/acme/tool@v1", "s3://bucket/acme@v1"])
def test_a_path_before_an_at_sign_is_no_credential(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_URL", address)
    assert hide_secrets(f"from {address}") == f"from {address}"
    assert hide_secrets("host.org/acme/tool, bucket/acme") == "host.org/acme/tool, bucket/acme"
