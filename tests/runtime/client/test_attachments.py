"""Images and files: made of paths, bytes and URLs; sent as content parts, shown as short texts."""

from __future__ import annotations

import base64
import copy
import mimetypes
from pathlib import Path
from typing import Any

import pytest
from scripted_server import ScriptedServer, completion

from pytest_mipro import File, Image
from pytest_mipro.errors import AttachmentError, EndpointError
from pytest_mipro.runtime.client import loop
from pytest_mipro.runtime.client.attachments import AttachedText, read_parts
from pytest_mipro.runtime.client.contract import Message, Request
from pytest_mipro.runtime.client.live.capabilities import check_attached
from pytest_mipro.runtime.client.live.litellm_client import LiteLLMClient, LiveSettings, _load

PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)
PDF = b"%PDF-1.7\n" + bytes(100)


def url(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def request(*parts: Any, model: str = "openai/gpt-4o-mini") -> Request:
    return Request(model, (Message.of("user", parts),))


def test_machines_agree_on_a_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = mimetypes.MimeTypes()
    own.add_type("application/vnd.ms-excel", ".csv")
    own.add_type("application/x-own", ".own")
    monkeypatch.setattr(mimetypes, "guess_type", own.guess_type)
    for name, mime in (("a.csv", "text/csv"), ("a.own", "application/x-own")):
        (tmp_path / name).write_bytes(b"a,b")
        assert File.from_path(tmp_path / name).mime_type == mime


def test_a_path_and_bytes_become_data_urls(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(PNG)
    assert Image.from_path(path).url == Image.from_bytes(PNG).url == url(PNG, "image/png")
    (tmp_path / "a.pdf").write_bytes(PDF)
    assert File.from_path(str(tmp_path / "a.pdf")) == File(url(PDF, "application/pdf"), "a.pdf")
    assert File.from_bytes(b"a,b", "text/csv", "t.csv").content() == b"a,b"


@pytest.mark.parametrize(
    ("lead", "mime"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF0000WEBP", "image/webp"),
    ],
)
def test_bytes_tell_their_type(lead: bytes, mime: str) -> None:
    assert Image.from_bytes(lead).mime_type == mime


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Image("photo.png"), "not 'photo.png'; read a file by Image.from_path"),
        (lambda: Image(url(PDF, "application/pdf")), "an image is a data URL of type image/"),
        (lambda: Image("data:image/png;base64,?"), "the image's data URL is no base64"),
        (lambda: Image.from_bytes(b"what"), "the bytes: unknown MIME type; give it by Image"),
        (lambda: Image.from_path("no.png"), "no.png: can't be read .No such file"),
        (lambda: File("https://x.org/a.pdf"), "a file is a data URL, not 'https://x.org/a.pdf'"),
        (lambda: Image(5), "or a URL of http or https, not 5; read"),  # type: ignore[arg-type]
        (lambda: File.from_bytes("a b"), "file: expected bytes, not str"),  # type: ignore[arg-type]
        (lambda: Image.from_path("a\0.png"), "can't be read .embedded null byte"),
    ],
)
def test_what_is_none_is_refused(make: Any, reason: str) -> None:
    with pytest.raises(AttachmentError, match=reason):
        make()


def test_one_reads_a_type_a_size_and_a_digest_and_no_credential() -> None:
    image = Image.from_bytes(PNG)
    assert image.short == repr(image) == f"[image/png, 2.0 kB, {image.digest[:12]}]"
    assert File.from_bytes(PDF, None, "a.pdf").short.startswith("[a.pdf, 109 B, ")
    signed = Image("https://user:secret@x.org/a.png?token=secret#secret")
    assert signed.short == "[image https://x.org/a.png]"


def test_the_text_of_a_message_has_short_texts_for_its_parts() -> None:
    image = Image.from_bytes(PNG)
    message = Message.of("user", ["<photo>", image, "</photo>"])
    assert message.content == f"<photo>\n{image.short}\n</photo>"
    assert Message.of("user", ["a", "b"]) == Message("user", "a\nb")


def test_the_key_holds_a_digest_of_what_is_sent() -> None:
    image = Image.from_bytes(PNG)
    text = request("a", image).canonical_json()
    assert image.digest in text
    assert len(text) < 300
    others = [
        request("a", Image.from_bytes(PNG + b"1")),
        request("a", image.short),
        request(image, "a"),
        request("a", File.from_bytes(PNG, "image/png")),
        request("a", File.from_bytes(PNG, "image/png", "a.png")),
    ]
    assert len({each.digest() for each in [request("a", image), *others]}) == 6


def test_tokens_are_bounded_without_counting_megabytes() -> None:
    urls = ["https://x.org/a.png", *(url(PNG + bytes(size), "image/png") for size in (0, 10**6))]
    for each in urls:  # a plain picture is a small file
        assert 50_000 < request("a", Image(each)).prompt_bytes() < 50_100
    assert request("a", File.from_bytes(PDF)).prompt_bytes() > 50_000
    assert request("a", File.from_bytes(b"a b " * 10**5, "text/plain")).prompt_bytes() > 400_000


def test_parts_are_sent_and_read_again() -> None:
    parts = ("<photo>", Image.from_bytes(PNG), File.from_bytes(PDF, None, "a.pdf"), "</photo>")
    sent = Message.of("user", parts).sent(str.upper)
    assert sent["content"][0] == {"type": "text", "text": "<PHOTO>"}
    assert sent["content"][1] == {"type": "image_url", "image_url": {"url": url(PNG, "image/png")}}
    file = {"filename": "a.pdf", "file_data": url(PDF, "application/pdf")}
    assert sent["content"][2] == {"type": "file", "file": file}
    assert read_parts(Message.of("user", parts).sent()["content"]) == parts
    assert read_parts([{"type": "input_audio"}]) is None
    assert read_parts([{"type": "file", "file": {"file_id": "1"}}]) is None


def test_litellm_sends_content_parts(server: ScriptedServer, monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test-key-2f8a91c04b")
    server.script = [completion("A cat.")]
    asked = request("What?", Image.from_bytes(PNG))
    client = LiteLLMClient(LiveSettings(timeout=5.0, api_base=server.base))
    assert loop.run(client.complete(asked)).text == "A cat."
    loop.run(client.aclose())
    assert server.bodies[0]["messages"] == [asked.messages[0].sent()]


@pytest.mark.parametrize(
    ("model", "part", "needed"),
    [
        ("gpt-4o-mini", Image.from_bytes(PNG), ""),
        ("gpt-4o-mini", File.from_bytes(PDF), ""),
        ("gpt-3.5-turbo", Image.from_bytes(PNG), "supports_vision"),
        ("mistral/mistral-small-latest", File.from_bytes(PDF), "supports_pdf_input"),
        ("gpt-3.5-turbo", File.from_bytes(b"a", "text/csv"), ""),
        ("openai/a-model-of-ours", Image.from_bytes(PNG), ""),
        ("ollama/llama3", Image.from_bytes(PNG), ""),
    ],
)
def test_a_model_that_takes_none_is_named_before_the_call(
    model: str, part: Any, needed: str, monkeypatch: Any
) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    asked, litellm = request("What?", part, model=model), _load()
    check_attached(litellm, asked, "http://localhost:8000/v1")  # who knows what is served there
    if not needed:
        check_attached(litellm, asked, None)
        return
    with pytest.raises(EndpointError) as caught:
        check_attached(litellm, asked, None)
    assert str(caught.value) == (
        f"model {model!r} does not take {part.short}: litellm's table lists it without {needed}; "
        f"choose another model, or correct the table by "
        f"litellm.register_model({{{model!r}: {{{needed!r}: True}}}})"
    )


def test_a_copied_text_still_carries_what_is_sent() -> None:
    text = AttachedText(Image.from_bytes(PNG))
    assert copy.deepcopy([text])[0].held == text.held
