"""Launch of the app: Streamlit's pages and the app's routes on one port."""

import os
import secrets
import socket
import sys
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from tagger.errors import TaggerError
from tagger.ui.app_state import AppState, open_app_state, set_current_state
from tagger.ui.server.routes import build_routes
from tagger.ui.server.security import LOCAL_HOSTS, RequestGuard
from tagger.ui.server.upload_limits import MAX_UPLOAD_BYTES, MEGABYTE, UploadLimits
from tagger.ui.theme import THEME

SCRIPT = Path(__file__).with_name("streamlit_app.py")
FIRST_PORT = 8501
NUM_PORTS = 50
KEY_NOTE = "access_key"


def serve(
    run: str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    store: str | None = None,
    data: str | Path | None = None,
    reviewer: str | None = None,
    browser: bool = True,
    new_store: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Run the app until it is stopped. TaggerError if there is nothing to review or the port is taken."""
    app_state = open_app_state(run, store=store, data=data, reviewer=reviewer, say=say, new_store=new_store)
    port = free_port(host, port)
    key = None if is_local(host) else _access_key(app_state)
    app = build_app(app_state, host=host, key=key)
    shown = "localhost" if host in LOCAL_HOSTS else _reachable_name(host)
    address = f"http://{shown}:{port}/{f'?token={key}' if key else ''}"
    if key is not None:
        say(
            f"Warning: everybody who can reach {host}:{port} and knows the address below can see and label the photos."
        )
    say(f"Review {app_state.run.path.name} here: {address}")
    say(f"Decisions go to {app_state.store.url}. Stop with Ctrl-C.")
    if browser and _has_display():
        threading.Thread(target=_open_browser, args=(port, address), daemon=True).start()
    sys.argv = ["tagger-review"]  # the pages' script must not see the command's own options
    try:
        with suppress(KeyboardInterrupt):  # Ctrl-C is how one stops it
            app.run(config=streamlit_options(host, port))
    finally:
        app_state.store.close()


def build_app(app_state: AppState, *, host: str = "127.0.0.1", key: str | None = None) -> Any:
    """The ASGI app: Streamlit's pages, our routes, and the guards in front of both."""
    set_current_state(app_state)
    hosts = (
        [*LOCAL_HOSTS, host] if is_local(host) else ["*"]
    )  # beyond this machine the key guards, not the name
    return st.App(
        SCRIPT,
        routes=build_routes(app_state),
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
            Middleware(RequestGuard, token=app_state.token, key=key),
            Middleware(UploadLimits),
        ],
    )


def streamlit_options(host: str, port: int) -> dict[str, Any]:
    """Streamlit's settings; given here so that a stray ``.streamlit/config.toml`` cannot undo them."""
    return {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.showEmailPrompt": False,
        "server.enableCORS": True,
        "server.corsAllowedOrigins": [],
        "server.enableXsrfProtection": True,
        "server.allowedHosts": list(dict.fromkeys([*LOCAL_HOSTS, host])) if is_local(host) else [],
        "server.enableStaticServing": False,
        "server.enableAgentApi": False,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": MAX_UPLOAD_BYTES // MEGABYTE,
        "server.disconnectedSessionTTL": 30,
        "browser.gatherUsageStats": False,
        "browser.serverAddress": "localhost" if is_local(host) else _reachable_name(host),
        "client.toolbarMode": "minimal",
        "client.showErrorLinks": False,
        "client.showErrorDetails": "full" if is_local(host) else "none",
        "runner.magicEnabled": False,
        "logger.hideWelcomeMessage": True,
        **THEME,
    }


def is_local(host: str) -> bool:
    """Whether only this machine can reach an app on ``host``.

    >>> is_local("127.0.0.1"), is_local("0.0.0.0"), is_local("127.evil.example")
    (True, False, False)
    """
    try:
        return host in LOCAL_HOSTS or IPv4Address(host).is_loopback
    except ValueError:  # a name: who knows where it leads
        return False


def free_port(host: str, wanted: int | None) -> int:
    """``wanted`` if it is free, else TaggerError; without a wish the first free one from 8501 on (0: any)."""
    for port in [wanted] if wanted is not None else range(FIRST_PORT, FIRST_PORT + NUM_PORTS):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return int(probe.getsockname()[1])
            except OSError as error:
                reason = error.strerror or str(error)
    if wanted is None:
        raise TaggerError(
            f"No port from {FIRST_PORT} to {FIRST_PORT + NUM_PORTS} is free ({reason}). Give --port P."
        )
    raise TaggerError(
        f"{host}:{wanted} cannot be used ({reason.lower()}). Is the app running already? Give --port P."
    )


def _access_key(app_state: AppState) -> str:
    key = app_state.store.load_note(KEY_NOTE) or secrets.token_urlsafe(18)
    app_state.store.save_note(KEY_NOTE, key)
    return key


def _reachable_name(host: str) -> str:
    return socket.gethostname() if host in ("0.0.0.0", "::") else host


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )


def _open_browser(port: int, address: str) -> None:
    """Open the page as soon as the app answers."""
    for _ in range(300):
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
            webbrowser.open(address)
            return
        time.sleep(0.1)
