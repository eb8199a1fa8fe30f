"""Landmark files of every format, as programs write them: what is read, what is malformed, what belongs to no photo."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tagger.data.landmarks.landmark_set import Landmarks, read_landmarks
from tagger.errors import TaggerError

SHARED = Path(os.environ.get("TAGGER_SHARED") or Path(__file__).parents[3] / "shared") / "data" / "landmarks"
POINTS = [(10.0, 20.0), (30.5, 20.0), (20.0, 40.25)]


def write_photos(
    root: Path, *names: str, size: tuple[int, int] = (64, 48), turned: bool = False
) -> list[str]:
    """Grey photos; ``turned`` ones are stored on their side, with the flag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(root / name, exif=exif)
    return list(names)


def pts(points: list[tuple[float, float]], declared: int | None = None) -> str:
    lines = "\n".join(f"{x} {y}" for x, y in points)
    return f"version: 1\nn_points:  {declared or len(points)}\n{{\n{lines}\n}}\n"


def dlib(image: str, *boxes: str) -> str:
    return f"<dataset><images><image file='{image}'>{''.join(boxes)}</image></images></dataset>"


def box(side: int, points: list[tuple[float, float]], extra: str = "") -> str:
    parts = "".join(f"<part name='{n:02}' x='{x}' y='{y}'/>" for n, (x, y) in enumerate(points))
    return f"<box top='0' left='0' width='{side}' height='{side}' {extra}>{parts}</box>"


def read(root: Path, files: list[str], name: str = "", text: str = "") -> Landmarks:
    """The landmarks of photos from one file of this text, or from the folder."""
    if name:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return read_landmarks(root / name, root, files)


def test_pts_files_count_from_one_and_belong_to_the_photo_called_like_them(tmp_path: Path):
    files = write_photos(tmp_path, "a/x.png", "b/x.png", "c.png")
    for folder in "ab":
        shift = 1.0 if folder == "b" else 0.0
        (tmp_path / folder / "x.pts").write_text(pts([(x + shift, y) for x, y in POINTS]))
    found = read(tmp_path, files)
    assert found.points_NP2[0] == pytest.approx(np.array(POINTS) - 1)
    assert found.points_NP2[1] == pytest.approx(np.array(POINTS) - [0, 1])
    assert found.reasons == {2: "no landmarks were given for it"}
    assert f"{tmp_path} (pts, 3 points), 2 photos." in found.notes[0]


def test_a_folder_of_pts_files_elsewhere_finds_photos_by_their_paths(tmp_path: Path):
    files = write_photos(tmp_path / "photos", "a/x.png", "b/x.png")
    for folder in "ab":
        (tmp_path / "points" / folder).mkdir(parents=True)
        (tmp_path / "points" / folder / "x.pts").write_text(pts(POINTS))
    assert read_landmarks(tmp_path / "points", tmp_path / "photos", files).reasons == {}


def test_of_several_faces_in_dlibs_xml_the_largest_counts_and_the_others_are_reported(tmp_path: Path):
    files = write_photos(tmp_path, "a.png", "b.png")
    other = [(x + 7, y) for x, y in POINTS]
    ignored = box(90, other, "ignore='1'")
    found = read(tmp_path, files, "faces.xml", dlib("a.png", box(20, other), box(30, POINTS), ignored))
    assert found.points_NP2[0] == pytest.approx(np.array(POINTS))
    assert "1 photo has several faces or objects; the largest counts: a.png (2)." in found.notes[1]


def test_parts_are_ordered_by_their_numbers(tmp_path: Path):
    parts = "".join(f"<part name='{n}' x='{n}' y='0'/>" for n in (10, 9, 1, *range(2, 9)))
    text = dlib("a.png", f"<box top='0' left='0' width='9' height='9'>{parts}</box>")
    found = read(tmp_path, write_photos(tmp_path, "a.png"), "f.xml", text)
    assert found.points_NP2[0, :, 0].tolist() == list(range(1, 11))


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there")
def test_dlibs_own_files_are_read():
    files = sorted(path.name for path in SHARED.glob("*.jpg"))
    found = read_landmarks(SHARED, SHARED, files)
    assert (found.points_NP2.shape, found.reasons) == ((9, 68, 2), {})
    row = files.index("2008_002506.jpg")  # its largest box begins at 329, 78 and is 109 wide
    assert np.nanmean(found.points_NP2[row], axis=0) == pytest.approx([384, 140], abs=25)
    assert "2008_002470.jpg (6)" in found.notes[1]


OPENFACE = "frame, face_id, timestamp, confidence, success, x_0, x_1, y_0, y_1, X_0, X_1"


def test_openface_rows_belong_to_frames_and_those_without_a_face_are_dropped(tmp_path: Path):
    files = write_photos(
        tmp_path, "clip/f_0001.png", "clip/f_0002.png", "clip/f_0003.png", "other/f_0002.png"
    )
    rows = [
        "1,0,0.0,0.98,1,10,20,5,6,900,901",
        "2,0,0.1,0.10,0,0,0,0,0,0,0",
        "3,0,0.2,0.9,1,12,22,5,6,900,901",
    ]
    found = read(tmp_path, files, "clip.csv", "\n".join([OPENFACE, *rows]))
    assert found.points_NP2[0].tolist() == [[10, 5], [20, 6]]
    assert found.points_NP2[2].tolist() == [[12, 5], [22, 6]]
    assert found.reasons[1] == "no face was found in it (success = 0)"
    assert found.reasons[3] == "no landmarks were given for it"


def test_openface_of_one_photo_belongs_to_the_photo_called_like_it(tmp_path: Path):
    files = write_photos(tmp_path, "a.png", "b.png")
    rows = ["face,confidence,x_0,x_1,y_0,y_1", "0,0.98,10,20,5,6", "1,0.99,10,40,5,26"]
    found = read(tmp_path, files, "a.csv", "\n".join(rows))
    assert found.points_NP2[0].tolist() == [[10, 5], [40, 26]]


def test_a_frame_number_without_a_photo_is_said(tmp_path: Path):
    files = write_photos(tmp_path, "clip/f_1.png", "clip/f_2.png")
    rows = [f"{n},0,0,1,1,1,2,3,4,0,0" for n in (2, 3)]
    found = read(tmp_path, files, "clip.csv", "\n".join([OPENFACE, *rows]))
    assert "there is no photo of frame 3 of 'clip'" in found.notes[-1]
    assert 0 in found.reasons


RELATIVE = [{"x": 0.25, "y": 0.5, "z": -0.1}, {"x": 0.75, "y": 0.25, "z": 0.0}]


@pytest.mark.parametrize(
    "content",
    [
        {"a.jpg": RELATIVE},
        {"a.jpg": [RELATIVE]},
        [{"file": "a.jpg", "landmarks": RELATIVE}],
        {"image": "a.jpg", "face_landmarks": [RELATIVE]},
        {"faceLandmarks": [RELATIVE], "faceBlendshapes": []},
        {"multi_face_landmarks": [{"landmark": RELATIVE}]},
        {"a.jpg": [[p["x"], p["y"], p["z"]] for p in RELATIVE] + [{"x": 0.0, "y": 0.0}]},
    ],
)
def test_mediapipe_json_is_in_shares_of_the_upright_photo(tmp_path: Path, content: object):
    files = write_photos(tmp_path, "a.jpg", turned=True)  # 48 wide and 64 high once upright
    found = read(tmp_path, files, "a.json", json.dumps(content))
    assert found.points_NP2[0, :2] == pytest.approx(np.array([[11.5, 31.5], [35.5, 15.5]]))


@pytest.mark.parametrize(
    "rows",
    [
        ["file,x_0,y_0,z_0,x_1,y_1,z_1", "a.jpg,0.25,0.5,0,0.75,0.25,0"],
        ["image;X0;Y0;X1;Y1", "a;0.25;0.5;0.75;0.25"],
        ["file,landmark,x,y,z", "a.jpg,1,0.75,0.25,0", "a.jpg,0,0.25,0.5,0"],
        ["landmark_index,x,y", "0,0.25,0.5", "1,0.75,0.25"],
    ],
)
def test_mediapipe_csv_wide_and_long(tmp_path: Path, rows: list[str]):
    files = write_photos(tmp_path, "a.jpg")
    found = read(tmp_path, files, "a.csv", "\n".join(rows))
    assert found.points_NP2[0] == pytest.approx(np.array([[15.5, 23.5], [47.5, 11.5]]))


def test_a_table_of_pixels_is_read_as_pixels(tmp_path: Path):
    files = write_photos(tmp_path, "a.jpg", "b.jpg")
    rows = ["file,x_0,y_0,x_1,y_1", "a.jpg,1,1,2,2", "b.jpg,3,4,50,6"]
    assert read(tmp_path, files, "points.csv", "\n".join(rows)).points_NP2[0].tolist() == [[1, 1], [2, 2]]


def coco(*objects: dict[str, object]) -> str:
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    return json.dumps({"images": images, "annotations": objects, "categories": []})


def test_coco_keypoints_of_visibility_0_are_absent(tmp_path: Path):
    files = write_photos(tmp_path, "a.jpg", "b.jpg")
    small = {"image_id": 1, "keypoints": [1, 1, 2, 2, 2, 2, 3, 3, 2], "area": 5}
    large = {"image_id": 1, "keypoints": [10, 11, 2, 0, 0, 0, 30, 31, 1], "area": 50}
    absent = {"image_id": 2, "keypoints": [0] * 9, "area": 5}
    found = read(tmp_path, files, "person.json", coco(small, large, absent))
    assert found.points_NP2[0, [0, 2]].tolist() == [[10, 11], [30, 31]]
    assert np.isnan(found.points_NP2[0, 1]).all()
    assert found.reasons == {1: "all its keypoints are absent (visibility 0)"}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.pts", pts([(1, 2)] * 3, declared=4), "a.pts, n_points: it says 4 points, and there are 3"),
        ("a.pts", "version: 1\n{\n1 2\n3 x\n5\n}", "a.pts, row 4: 'x' is no number, a.pts, row 5: 1 values"),
        ("a.pts", "1 2\n3 4", "a.pts: the points should stand between { and }"),
        (
            "a.xml",
            dlib("a.jpg", "<box><part name='0' x='1'/></box>"),
            "image 'a.jpg', box 1: part '0': None is no",
        ),
        ("a.xml", dlib("", box(1, POINTS)), "image 1: it has no file"),
        (
            "a.csv",
            "file,x0,y0\na.jpg,1,2\nb.jpg,1\nc.jpg,nan,3",
            "row 3: 2 cells where the first line has 3, ",
        ),
        ("a.csv", "file,x0,y0\na.jpg,1,2\nb.jpg,1\nc.jpg,nan,3", "row 4: 'nan' is no finite number"),
        ("a.csv", f"{OPENFACE}\n1,0,0,1,yes,1,2,3,4,0,0\n2,0,0,1,1,,2,3,4,0,0", "row 2: 'yes' is no number"),
        ("a.csv", "file,point,x,y\na.jpg,0,1,2\na.jpg,0,3,4", "row 3: point 0 of 'a.jpg' is there twice"),
        ("a.json", '{"a.jpg": [{"x": 1, "y": 2}, {"x": 1}]}', "entry 'a.jpg': point 1: None is no number"),
        ("a.json", '{"a.jpg": [{"x": 1, "y": 2},', "a.json, row 1: this is not valid JSON"),
        ("a.json", coco({"image_id": 9, "keypoints": [1, 1, 1]}), "entry 1: its image 9 is not in 'images'"),
        ("a.json", coco({"image_id": 1, "keypoints": [1, 1]}), "no list of x, y, visibility"),
    ],
)
def test_malformed_rows_are_all_named(tmp_path: Path, name: str, text: str, said: str):
    files = write_photos(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    with pytest.raises(TaggerError) as error:
        read(tmp_path, files, name, text)
    assert said in str(error.value)
    assert "malformed" in str(error.value)


def test_different_numbers_of_points_in_one_set_name_the_files(tmp_path: Path):
    files = write_photos(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    for name, num in (("a", 3), ("b", 3), ("c", 2)):
        (tmp_path / f"{name}.pts").write_text(pts(POINTS[:num]))
    with pytest.raises(TaggerError, match=r"3 points in 2 \(a.pts, b.pts\); 2 points in 1 \(c.pts\)"):
        read(tmp_path, files)


def test_landmarks_of_other_photos_only_are_refused_and_some_are_reported(tmp_path: Path):
    files = write_photos(tmp_path, "a.jpg")
    with pytest.raises(TaggerError, match=r"belong to none of the photos. f.xml: there is no image 'z.jpg'"):
        read(tmp_path, files, "f.xml", dlib("z.jpg", box(9, POINTS)))
    (tmp_path / "f.xml").unlink()
    rows = ["file,x0,y0,x1,y1", "a.jpg,1,2,30,4", "z.jpg,1,2,30,4"]
    assert (
        "Landmarks of 1 name belongs to no photo here: 'z.jpg'."
        in read(tmp_path, files, "p.csv", "\n".join(rows)).notes[1]
    )


def test_what_is_no_landmark_file_or_several_formats_is_refused(tmp_path: Path):
    files = write_photos(tmp_path, "a.jpg")
    (tmp_path / "labels.csv").write_text("file,labels\na.jpg,cat\n")
    with pytest.raises(TaggerError, match="no landmarks of a known format"):
        read(tmp_path, files)
    with pytest.raises(TaggerError, match="no such file or folder"):
        read_landmarks(tmp_path / "nothing", tmp_path, files)
    (tmp_path / "a.pts").write_text(pts(POINTS))
    (tmp_path / "f.xml").write_text(dlib("a.jpg", box(9, POINTS)))
    with pytest.raises(TaggerError, match=r"several formats \(dlib: f.xml; pts: a.pts\)"):
        read(tmp_path, files)
