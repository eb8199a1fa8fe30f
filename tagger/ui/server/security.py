"""Request checks: content security policy, same-site check, token, access key.

Streamlit's cross-site protection covers its own endpoints only. Here: every answer carries a strict policy
(a file named like a Markdown image cannot call out, whatever widget shows it; no other page may frame
ours); other sites' pages get no socket and write nothing; what writes needs a token that only our own page
knows; and where the app listens beyond this machine, everything needs the key of the printed address.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from hmac import compare_digest
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tagger.ui.streamlit_internals import index_html

ROUTE_PREFIX = "/tagger/"
TOKEN_HEADER = "x-tagger-token"
MAX_BODY_BYTES = 1 << 20  # bytes of one request to our routes; 500 waiting decisions are about 150 kB
COOKIE_NAME = "tagger_key"
LOCAL_HOSTS = ("127.0.0.1", "localhost")


def content_policy(html: str = "") -> str:
    """The Content-Security-Policy of every answer; inline scripts of ``html`` are allowed by their hash.

    >>> "script-src 'self' blob:;" in content_policy()
    True
    """
    inline = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    hashes = "".join(
        f" 'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in inline
    )
    return (
        f"default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; font-src 'self' data:;"
        f" script-src 'self' blob:{hashes}; connect-src 'self'; object-src 'none'; base-uri 'self';"
        f" form-action 'self'; frame-ancestors 'none'"
    )


class RequestGuard:
    """ASGI layer: adds the policy to every answer, and refuses what no page of ours would ask.

    ``token`` must come with everything that writes to ``/tagger/``. ``key``, if given, must come with
    everything: as ``?token=KEY`` once, then as a cookie.
    """

    def __init__(self, app: ASGIApp, *, token: str, key: str | None = None, policy: str | None = None):
        self.app = app
        self.token = token
        self.key = key
        self.policy = policy or content_policy(index_html())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if self.key is not None and not _has_cookie(scope, self.key):
            await self._ask_key(scope, receive, send)
            return
        if scope["type"] == "websocket":
            if _is_cross_site(Headers(scope=scope), writes=True):
                await send({"type": "websocket.close", "code": 4403})
            else:
                await self.app(scope, receive, send)
            return
        await (self._refusal(scope) or self.app)(scope, receive, self._with_policy(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to what may not be asked. A link on another site may lead to our pages, and to nothing else."""
        headers = Headers(scope=scope)
        ours = scope["path"].startswith(ROUTE_PREFIX)
        writes = scope["method"] not in ("GET", "HEAD")
        if (ours or writes) and _is_cross_site(headers, writes=writes):
            return PlainTextResponse("Only the app's own pages may send this request.", 403)
        if not ours:
            return None
        if writes and not _secrets_equal(headers.get(TOKEN_HEADER, ""), self.token):
            return PlainTextResponse("The token is missing or wrong. Reload the page.", 403)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            return PlainTextResponse(f"The request is too long: at most {MAX_BODY_BYTES:,} bytes.", 413)
        return None

    async def _ask_key(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        answer: Response = PlainTextResponse(
            "Open the address that `tagger review` printed, with its ?token=...", 401
        )
        if scope["type"] == "http" and _secrets_equal(query.pop("token", [""])[0], self.key or ""):
            rest = f"?{urlencode(query, doseq=True)}" if query else ""
            answer = RedirectResponse(f"{scope['path']}{rest}", 303)
            answer.set_cookie(
                COOKIE_NAME, self.key or "", httponly=True, samesite="strict", max_age=30 * 24 * 3600
            )
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4401})
        else:
            await answer(scope, receive, self._with_policy(send))

    def _with_policy(self, send: Send) -> Callable[[Message], Any]:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = self.policy
                headers["X-Content-Type-Options"] = "nosniff"
                headers["X-Frame-Options"] = "DENY"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers["Referrer-Policy"] = "same-origin"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
            await send(message)

        return sending


def _is_cross_site(headers: Headers, *, writes: bool) -> bool:
    """Whether a page of another site asks, or one of this machine under another name or port."""
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site not in (None, "same-origin", "none") or (writes and site == "none"):
        return True
    return origin is not None and origin.partition("://")[2] != headers.get("host")


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes | None:
    """The body of a request, or None as soon as it is longer than ``limit`` (its announced length may be a lie)."""
    parts = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
    return b"".join(parts)


def _has_cookie(scope: Scope, key: str) -> bool:
    cookies: SimpleCookie = SimpleCookie()
    cookies.load(Headers(scope=scope).get("cookie", ""))
    return COOKIE_NAME in cookies and _secrets_equal(cookies[COOKIE_NAME].value, key)


def _secrets_equal(given: str, wanted: str) -> bool:
    return compare_digest(given.encode("utf-8", "replace"), wanted.encode())
