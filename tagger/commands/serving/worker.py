"""The worker process of the app, ``python -m tagger.commands.serving.worker --run RUN``: JSON lines in and out.

The app must not load torch, so it keeps this process beside it (``tagger/ui/worker_client.py``). One JSON
object a line comes in on standard input, one goes out on standard output, in the same order:

    in   {"id": 1, "job": "predict", "paths": [...]}
    out  {"id": 1, "result": [{"probs": [...], "reason": null}, ...]}
    in   {"id": 2, "job": "heat", "path": ..., "label": "sea"}
    out  {"id": 2, "result": "base64 of a grey PNG"}

``"method"`` of a heat map is grad_cam unless the question says another (see ``tagger/explain``). A question
that cannot be answered gets ``{"id": 3, "error": "one line"}`` and the next one is read. The first line out
is ``{"ready": true}``, or ``{"error": ...}`` if the run cannot be loaded. The process ends with its
standard input, so it cannot outlive the app, however that ended.
"""

import argparse
import base64
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from PIL import Image

from tagger.arrays import Floats
from tagger.commands.serving.heat_maps import photo_heat_map
from tagger.commands.serving.predictor import Predictor, load
from tagger.errors import TaggerError, did_you_mean

JOBS = ("heat", "predict")


def heat_png(predictor: Predictor, path: Path, label: str, *, method: str = "grad_cam") -> bytes:
    """A small grey PNG of where the model sees the label: white is most; stretched over the photo, it fits."""
    return grey_png(photo_heat_map(predictor, path, label, method=method))


def grey_png(map_HW: Floats) -> bytes:
    """A map in 0..1 as the bytes of a grey PNG.

    >>> grey_png(np.array([[0.0, 1.0]]))[1:4]
    b'PNG'
    """
    file = io.BytesIO()
    Image.fromarray((255 * np.clip(map_HW, 0, 1)).round().astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def handle_request(predictor: Predictor, request: dict[str, Any]) -> Any:
    """What ``result`` of the answer is to be; TaggerError for a question that makes no sense."""
    job = request.get("job")
    if job == "predict":
        predictions = predictor.predict_probs(Path(), [str(path) for path in request["paths"]])
        rows = enumerate(predictions.probs_NK.tolist())
        return [
            {"probs": None if n in predictions.reasons else row, "reason": predictions.reasons.get(n)}
            for n, row in rows
        ]
    if job == "heat":
        path = request["path"]
        label = request["label"]
        method = request.get("method", "grad_cam")
        return base64.b64encode(heat_png(predictor, Path(path), str(label), method=str(method))).decode()
    raise TaggerError(f"Unknown job {job!r}.{did_you_mean(str(job), JOBS)} Available: {', '.join(JOBS)}")


def serve(load_predictor: Callable[[], Predictor], lines: TextIO, out: TextIO) -> None:
    """Answer until the lines end."""

    def send(**fields: Any) -> None:
        out.write(json.dumps(fields) + "\n")
        out.flush()

    try:
        predictor = load_predictor()
    except TaggerError as error:
        return send(error=str(error))
    send(ready=True)
    for line in lines:
        request: dict[str, Any] = {}
        try:
            request = dict(json.loads(line))
            send(id=request.get("id"), result=handle_request(predictor, request))
        except TaggerError as error:
            send(id=request.get("id"), error=str(error))
        except Exception as error:  # one odd image or line must not end the process
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            send(id=request.get("id"), error=f"The worker could not answer ({reason[:200]}).")
    return None


def main() -> None:
    """The process: answers keep standard output for themselves, whatever libraries print goes to standard error."""
    parser = argparse.ArgumentParser(
        description="Answers the review app's questions to a model, line by line."
    )
    parser.add_argument("--run", type=Path, required=True)
    arguments = parser.parse_args()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        serve(lambda: load(arguments.run), sys.stdin, out)
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(0)  # the app has gone; nobody is left to tell


if __name__ == "__main__":
    main()
