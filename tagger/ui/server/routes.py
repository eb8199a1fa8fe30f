"""HTTP routes of the app beside Streamlit's: photos, heat maps, review sync."""

import json
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from tagger.errors import TaggerError, printable
from tagger.ui.app_state import AppState
from tagger.ui.photo_previews import PREVIEW_SIZES, PhotoError
from tagger.ui.server.review_sync import sync_review
from tagger.ui.server.security import read_body
from tagger.ui.worker_client import shared_worker

# The address holds the hash of the photo.
CACHE_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
NO_STORE = {"Cache-Control": "no-store"}


def build_routes(app_state: AppState) -> list[BaseRoute]:
    """Routes of ``tagger review`` beside Streamlit's."""
    return [
        Route("/tagger/img/{row:int}", partial(_photo, app_state), methods=["GET"]),
        Route("/tagger/heat/{row:int}/{k:int}", partial(_heat_map, app_state), methods=["GET"]),
        Route("/tagger/review", partial(_review, app_state), methods=["POST"]),
    ]


def _photo(app_state: AppState, request: Request) -> Response:
    """Preview of a photo: the row of the run, ``s`` pixels a side, ``v`` the start of its hash."""
    try:
        app_state = app_state.on_run(request.query_params.get("run"))
        size = int(request.query_params.get("s", PREVIEW_SIZES[1]))
        shown = app_state.session.image(request.path_params["row"])
        data = app_state.previews.preview(shown.file, shown.hash, size=size)
    except (PhotoError, IndexError, KeyError, ValueError, TaggerError) as error:
        return PlainTextResponse(printable(f"This photo cannot be shown: {error}"), 404, headers=NO_STORE)
    named = shown.hash.startswith(request.query_params.get("v", "-"))
    return Response(data, media_type="image/jpeg", headers=CACHE_FOREVER if named else NO_STORE)


def _heat_map(app_state: AppState, request: Request) -> Response:
    """Heat map of a photo and a label (grey PNG), by ``method``."""
    row = request.path_params["row"]
    k = request.path_params["k"]
    try:
        app_state = app_state.on_run(request.query_params.get("run"))
        shown = app_state.session.image(row)
        label = app_state.session.names[k]
        path = app_state.previews.path(shown.file)
        method = request.query_params.get("method", "grad_cam")
        map_png = shared_worker(app_state.run.path).heat_map(path, label, method=method)
        return Response(map_png, media_type="image/png", headers=NO_STORE)
    except (PhotoError, IndexError, KeyError) as error:
        return PlainTextResponse(printable(f"There is no such photo or label: {error}"), 404)
    except TaggerError as error:
        return PlainTextResponse(printable(str(error)), 503)


async def _review(app_state: AppState, request: Request) -> Response:
    """Sync of the review: decisions in, cards out (see ``sync_review``)."""
    body = await read_body(request)
    if body is None:
        return PlainTextResponse("The request is too long.", 413)
    try:
        payload: dict[str, Any] = json.loads(body)
        reply = await run_in_threadpool(sync_review, app_state, payload)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
        return PlainTextResponse(printable(f"The request is not valid: {type(error).__name__} {error}"), 400)
    except TaggerError as error:
        return PlainTextResponse(printable(str(error)), 409)
    # ASCII: half a character goes back as it came
    text = json.dumps(reply, allow_nan=False, separators=(",", ":"))
    return Response(text, media_type="application/json", headers=NO_STORE)
