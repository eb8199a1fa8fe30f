"""``python -m tagger.commands.worker --run RUN``: a model that answers questions line by line.

The app must not load torch, so it keeps this process beside it (``tagger/ui/worker_client.py``). One JSON object a line
comes in on standard input, one goes out on standard output, in the same order:

    {"id": 1, "job": "predict", "paths": [...]}        {"id": 1, "result": [{"probs": [...], "reason": null}, ...]}
    {"id": 2, "job": "heat", "path": ..., "label": "sea"}            {"id": 2, "result": "base64 of a grey PNG"}

A question that cannot be answered gets ``{"id": 3, "error": "one line"}`` and the next one is read. The first line out
is ``{"ready": true}``, or ``{"error": ...}`` if the run cannot be loaded. The process ends with its standard input, so
it cannot outlive the app, however that ended.
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
import torch
from PIL import Image

from tagger.arrays import Floats
from tagger.batches import UnreadableImage, load_image
from tagger.batches.decode import Fit
from tagger.commands.tagger_model import Tagger, load
from tagger.errors import TaggerError, did_you_mean
from tagger.explain import explain

FRAME = 56  # side of a heat map that had to be cut or padded to cover its photo


def heat_png(tagger: Tagger, path: Path, label: str) -> bytes:
    """A small grey PNG of where the model sees the label: white is most; stretched over the photo, it fits."""
    if label not in tagger.labels:
        raise TaggerError(f"The run has no label {label!r}.{did_you_mean(label, tagger.labels)}")
    image = tagger.settings.image
    try:
        pixels_HWC = load_image(path, size=image.size, fit=image.fit)
        height, width = load_image(path, size=None).shape[:2] if image.fit != "squash" else (1, 1)
    except UnreadableImage as error:
        raise TaggerError(f"{path.name}: {error.reason}") from None
    images_BCHW = torch.from_numpy(pixels_HWC).permute(2, 0, 1)[None].to(tagger.device).float() / 255
    map_HW = explain(tagger.model, images_BCHW, tagger.labels.index(label))
    return grey_png(over_photo(map_HW, width, height, image.fit))


def over_photo(map_HW: Floats, width: int, height: int, fit: Fit) -> Floats:
    """The network's square map as one over the whole photo: nothing where ``crop`` cut off, without ``pad``'s frame.

    >>> over_photo(np.ones((2, 2)), 200, 100, "crop").mean(axis=0).round()[[0, 28, 55]].tolist()
    [0.0, 1.0, 0.0]
    >>> over_photo(np.ones((2, 2)), 200, 100, "squash").shape
    (2, 2)
    """
    if fit == "squash" or width == height:
        return map_HW
    square = Image.fromarray((255 * map_HW).round().astype(np.uint8)).resize((FRAME, FRAME), Image.Resampling.BILINEAR)
    inner = max(1, round(FRAME * min(width, height) / max(width, height)))
    if fit == "crop":  # the middle of the longer side was seen
        frame = Image.new("L", (FRAME, FRAME))
        across = width > height
        seen = square.resize((inner, FRAME) if across else (FRAME, inner), Image.Resampling.BILINEAR)
        frame.paste(seen, ((FRAME - inner) // 2, 0) if across else (0, (FRAME - inner) // 2))
        return np.asarray(frame) / 255
    low, high = (FRAME - inner) // 2, (FRAME - inner) // 2 + inner
    box = (0, low, FRAME, high) if width > height else (low, 0, high, FRAME)
    return np.asarray(square.crop(box)) / 255


def grey_png(map_HW: Floats) -> bytes:
    """A map in 0..1 as the bytes of a grey PNG.

    >>> grey_png(np.array([[0.0, 1.0]]))[1:4]
    b'PNG'
    """
    file = io.BytesIO()
    Image.fromarray((255 * np.clip(map_HW, 0, 1)).round().astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def answer(tagger: Tagger, question: dict[str, Any]) -> Any:
    """What ``result`` of the answer is to be; TaggerError for a question that makes no sense."""
    job = question.get("job")
    if job == "predict":
        tagged = tagger.tag(Path(), [str(path) for path in question["paths"]])
        rows = enumerate(tagged.probs_NK.tolist())
        return [{"probs": None if n in tagged.reasons else row, "reason": tagged.reasons.get(n)} for n, row in rows]
    if job == "heat":
        return base64.b64encode(heat_png(tagger, Path(question["path"]), str(question["label"]))).decode()
    raise TaggerError(f"Unknown job {job!r}.{did_you_mean(str(job), ('predict', 'heat'))} Available: heat, predict")


def serve(load_tagger: Callable[[], Tagger], lines: TextIO, out: TextIO) -> None:
    """Answer until the lines end."""

    def send(**fields: Any) -> None:
        out.write(json.dumps(fields) + "\n")
        out.flush()

    try:
        tagger = load_tagger()
    except TaggerError as error:
        return send(error=str(error))
    send(ready=True)
    for line in lines:
        question: dict[str, Any] = {}
        try:
            question = dict(json.loads(line))
            send(id=question.get("id"), result=answer(tagger, question))
        except TaggerError as error:
            send(id=question.get("id"), error=str(error))
        except Exception as error:  # one odd image or line must not end the process
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            send(id=question.get("id"), error=f"The worker could not answer ({reason[:200]}).")
    return None


def main() -> None:
    """The process: answers keep standard output for themselves, whatever libraries print goes to standard error."""
    parser = argparse.ArgumentParser(description="Answers the review app's questions to a model, line by line.")
    parser.add_argument("--run", type=Path, required=True)
    chosen = parser.parse_args()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        serve(lambda: load(chosen.run), sys.stdin, out)
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(0)  # the app has gone; nobody is left to tell


if __name__ == "__main__":
    main()
