"""Upload limits: number, total size, and the time a request body may take.

Streamlit bounds one upload only. An upload stays in memory until its page is left. A body that trickles in
keeps nobody else waiting, but it keeps a connection, so it has a time limit.
"""

from time import monotonic
from typing import Any

import anyio
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagger.ui.streamlit_internals import UPLOAD_PATH, uploads_by_page

MEGABYTE = 1 << 20
MAX_UPLOAD_BYTES = 21 * MEGABYTE  # of one: 20 MB and the words around it
MAX_UPLOADS_PER_PAGE = 48  # of one page; 12 are shown
MAX_TOTAL_BYTES = 1024 * MEGABYTE  # of all pages
BODY_SECONDS = 120.0  # for a body to be there; 20 MB over a slow line


class UploadLimits:
    """ASGI layer that refuses uploads beyond the limits (413) and hangs up on bodies that take too long."""

    def __init__(self, app: ASGIApp, *, body_seconds: float = BODY_SECONDS):
        self.app = app
        self.body_seconds = body_seconds
        self._under_way: dict[str, int] = {}  # uploads by page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        upload = UPLOAD_PATH.fullmatch(scope["path"]) if scope["method"] in ("PUT", "POST") else None
        page = upload[1] if upload else ""
        refusal = self._refusal(scope, page) if upload else None
        self._under_way[page] = self._under_way.get(page, 0) + 1
        try:
            with _suppress_disconnect():
                await (refusal or self.app)(scope, self._in_time(receive), send)
        finally:
            self._under_way[page] -= 1
            if not self._under_way[page]:
                del self._under_way[page]

    def _refusal(self, scope: Scope, page: str) -> Response | None:
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_UPLOAD_BYTES:
            return PlainTextResponse(f"A photo may have at most {MAX_UPLOAD_BYTES // MEGABYTE - 1} MB.", 413)
        kept = uploads_by_page()
        waiting = sum(num for name, num in self._under_way.items() if name)
        if len(kept.get(page, ())) + self._under_way.get(page, 0) >= MAX_UPLOADS_PER_PAGE:
            return PlainTextResponse(
                f"A page takes at most {MAX_UPLOADS_PER_PAGE} photos. Reload the page to start again.", 413
            )
        if sum(map(sum, kept.values())) + (waiting + 1) * MAX_UPLOAD_BYTES > MAX_TOTAL_BYTES:
            return PlainTextResponse("Too many photos are open in this app at once. Try again later.", 413)
        return None

    def _in_time(self, receive: Receive) -> Receive:
        end = monotonic() + self.body_seconds
        whole = False

        async def receiving() -> Message:
            nonlocal whole
            if whole:  # what comes now is only that the other side has gone
                return await receive()
            with anyio.move_on_after(max(0.0, end - monotonic())):
                message = await receive()
                whole = not message.get("more_body", False)
                return message
            return {"type": "http.disconnect"}

        return receiving


class _suppress_disconnect:
    """Context that swallows a disconnect: no answer, and no traceback in the log."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        return isinstance(error, ClientDisconnect)
