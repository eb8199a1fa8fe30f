"""How much a browser may send: uploads by number and sum, bodies by time, pictures by pixels."""

import io
import struct
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from PIL import Image
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagger.data.images.decode_limits import MAX_PIXELS
from tagger.ui.photo_previews import PhotoError, encode_preview
from tagger.ui.server import upload_limits
from tagger.ui.server.upload_limits import (
    MAX_TOTAL_BYTES,
    MAX_UPLOAD_BYTES,
    MAX_UPLOADS_PER_PAGE,
    UploadLimits,
)


async def taking(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that reads the body and says how long it is."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


async def ask(
    app: ASGIApp, path: str, *, method: str = "PUT", length: str = "5", body: Any = None
) -> tuple[int, str]:
    """Status (0: hung up on) and text of the answer."""
    sent: list[Message] = []
    given = iter([{"type": "http.request", "body": b"12345"}])

    async def receive() -> Message:
        return await body() if body is not None else next(given, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [(b"content-length", length.encode())],
             "query_string": b""}  # fmt: skip
    await app(scope, receive, send)
    status = next((message["status"] for message in sent if message["type"] == "http.response.start"), 0)
    return status, b"".join(message.get("body", b"") for message in sent).decode()


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    """What it gives."""
    return anyio.run(work)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """What is in memory already: sizes by page."""
    sizes: dict[str, list[int]] = {}
    monkeypatch.setattr(upload_limits, "uploads_by_page", lambda: sizes)
    return sizes


UPLOAD = "/_stcore/upload_file/page-1/a"


@pytest.mark.parametrize(
    "length", [str(10 * 2**30), str(MAX_UPLOAD_BYTES + 1), "9" * 30, "-1", "x", "1e3", "²"]
)
def test_an_upload_that_is_too_large_or_lies_is_refused_unread(kept: dict[str, list[int]], length: str):
    async def work() -> None:
        assert (await ask(UploadLimits(taking), UPLOAD, length=length))[0] == 413

    length.encode("latin-1")
    run(work)


def test_ten_thousand_files_stop_at_the_limit(kept: dict[str, list[int]]):
    async def work() -> None:
        app, num = UploadLimits(taking), 0
        for n in range(10_000):
            status, said = await ask(app, f"/_stcore/upload_file/page-1/{n}")
            if status == 200:
                kept.setdefault("page-1", []).append(5)
                num += 1
        assert num == MAX_UPLOADS_PER_PAGE
        assert "Reload the page" in said
        assert (await ask(app, "/_stcore/upload_file/page-2/a"))[0] == 200  # another page has its own
        kept["page-1"].pop()
        assert (await ask(app, UPLOAD))[0] == 200

    run(work)


def test_two_thousand_files_at_once_stop_at_the_limit_too(kept: dict[str, list[int]]):
    async def work() -> None:
        app, answers, wait = UploadLimits(taking), [], anyio.Event()

        async def slow() -> Message:
            await wait.wait()
            return {"type": "http.request", "body": b"12345"}

        async def one(n: int) -> None:
            answers.append((await ask(app, f"/_stcore/upload_file/page-{n % 100}/{n}", body=slow))[0])

        async with anyio.create_task_group() as group:
            for n in range(2_000):
                group.start_soon(one, n)
            while len(answers) + sum(app._under_way.values()) < 2_000:
                await anyio.sleep(0)
            assert sum(app._under_way.values()) * MAX_UPLOAD_BYTES <= MAX_TOTAL_BYTES
            wait.set()
        assert {*answers} == {200, 413}
        assert app._under_way == {}

    run(work)


def test_all_pages_together_have_a_limit(kept: dict[str, list[int]]):
    kept |= {f"other-{n}": [20 << 20] * 12 for n in range(5)}

    async def work() -> None:
        status, said = await ask(UploadLimits(taking), UPLOAD)
        assert (status, said) == (413, "Too many photos are open in this app at once. Try again later.")

    run(work)


@pytest.mark.parametrize("path", [UPLOAD, "/tagger/review", "/anything"])
def test_a_body_that_never_ends_is_hung_up_on(kept: dict[str, list[int]], path: str):
    async def work() -> None:
        app = UploadLimits(taking, body_seconds=0.05)

        async def trickle() -> Message:
            await anyio.sleep(0.01)
            return {"type": "http.request", "body": b"x", "more_body": True}

        assert await ask(app, path, body=trickle) == (0, "")

        async def silent() -> Message:
            await anyio.sleep_forever()
            raise AssertionError

        assert await ask(app, path, body=silent) == (0, "")
        assert (await ask(app, path))[0] == 200

    run(work)


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims so many pixels and is a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(100_000, 100_000), (MAX_PIXELS, 2), (2**31 - 1, 2**31 - 1)])
def test_a_picture_that_claims_too_many_pixels_is_not_decoded(size: tuple[int, int]):
    with pytest.raises(PhotoError):
        encode_preview(bomb(*size), size=1024)


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "TGA"])
def test_a_format_that_is_no_photo_is_not_opened(tmp_path: Path, kind: str):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, kind)
    with pytest.raises(PhotoError):
        encode_preview(file.getvalue(), size=128)
