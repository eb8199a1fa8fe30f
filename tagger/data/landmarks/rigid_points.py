"""Points of a face that an expression moves little, by the number of landmarks: what a coarse warp uses.

The document does not list its coarse set; these are ours. Lids, brows and lips are left out: a warp of all points
moves them onto the mean face, and with them what an expression is.
"""

from tagger.errors import TaggerError

# 68 points (300-W, dlib, OpenFace): jaw, nose, corners of the eyes.
FACE_68 = (*range(17), *range(27, 36), 36, 39, 42, 45)
# 468 or 478 points (MediaPipe): face oval, nose, corners of the eyes.
FACE_MESH = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
    *(168, 6, 197, 195, 5, 4, 1, 98, 97, 2, 326, 327, 33, 133, 263, 362),
)
COARSE = {68: FACE_68, 468: FACE_MESH, 478: FACE_MESH}


def used_points(num_points: int, mode: str, points: str) -> tuple[int, ...]:
    """Numbers of the points that are aligned: all, or the coarse ones of a warp. TaggerError where none are known.

    >>> used_points(5, "crop", "coarse"), len(used_points(68, "warp", "coarse"))
    ((0, 1, 2, 3, 4), 30)
    """
    if mode == "crop" or points == "all":
        return tuple(range(num_points))
    if num_points not in COARSE:
        known = ", ".join(map(str, COARSE))
        raise TaggerError(
            f"align.points = coarse is known for faces of {known} points, and these landmarks have {num_points}."
            " Use align.mode=crop, or align.points=all, which moves every point onto the mean shape."
        )
    return COARSE[num_points]
