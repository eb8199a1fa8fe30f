"""The app's own addresses: a photo by its row, a heat map, and one question that takes decisions and brings cards."""

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from tagger.errors import TaggerError, printable
from tagger.ui.exchange import exchange
from tagger.ui.pictures import SIZES, Unseen
from tagger.ui.security import read_body
from tagger.ui.worker_client import shared_worker
from tagger.ui.workplace import Workplace

FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # the address holds the hash of the photo
NOT_KEPT = {"Cache-Control": "no-store"}


def routes(place: Workplace) -> list[BaseRoute]:
    """The routes of ``tagger review`` beside Streamlit's."""

    def image(request: Request) -> Response:
        try:
            size = int(request.query_params.get("s", SIZES[1]))
            shown = place.desk.image(request.path_params["row"])
            data = place.pictures.preview(shown.file, shown.hash, size=size)
        except (Unseen, IndexError, KeyError, ValueError, TaggerError) as error:
            return PlainTextResponse(printable(f"This photo cannot be shown: {error}"), 404, headers=NOT_KEPT)
        named = shown.hash.startswith(request.query_params.get("v", "-"))
        return Response(data, media_type="image/jpeg", headers=FOREVER if named else NOT_KEPT)

    def heat(request: Request) -> Response:
        row, k = request.path_params["row"], request.path_params["k"]
        try:
            shown, label = place.desk.image(row), place.desk.names[k]
            path = place.pictures.path(shown.file)
            method = request.query_params.get("method", "grad_cam")
            map_png = shared_worker(place.run.path).heat_map(path, label, method=method)
            return Response(map_png, media_type="image/png", headers=NOT_KEPT)
        except (Unseen, IndexError, KeyError) as error:
            return PlainTextResponse(printable(f"There is no such photo or label: {error}"), 404)
        except TaggerError as error:
            return PlainTextResponse(printable(str(error)), 503)

    async def review(request: Request) -> Response:
        body = await read_body(request)
        if body is None:
            return PlainTextResponse("Too long.", 413)
        try:
            payload: dict[str, Any] = json.loads(body)
            reply = await run_in_threadpool(exchange, place, payload)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError) as error:
            return PlainTextResponse(printable(f"Not understood: {type(error).__name__} {error}"), 400)
        except TaggerError as error:
            return PlainTextResponse(printable(str(error)), 409)
        text = json.dumps(reply, allow_nan=False, separators=(",", ":"))  # ASCII: half a character goes back as it came
        return Response(text, media_type="application/json", headers=NOT_KEPT)

    return [
        Route("/tagger/img/{row:int}", image, methods=["GET"]),
        Route("/tagger/heat/{row:int}/{k:int}", heat, methods=["GET"]),
        Route("/tagger/review", review, methods=["POST"]),
    ]
