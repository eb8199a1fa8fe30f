"""Photos that seem to belong together are pointed out with the setting, by time and by columns; nothing is joined."""

import pytest
from PIL import Image

from tagger.data.likely_groups import likely_groups
from tagger.setting_sections import DataSettings


def camera(folder, seconds):
    """Photos of a camera with their times."""
    files = []
    for n, second in enumerate(seconds):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 12:{second // 60:02}:{second % 60:02}"
        files.append(f"IMG_{n:04}.jpg")
        Image.new("RGB", (4, 4), (n % 256, 0, 0)).save(folder / files[-1], exif=exif)
    return files


def test_bursts_are_seen_by_time(tmp_path):
    files = camera(tmp_path, [60 * burst + frame for burst in range(8) for frame in range(4)])
    [guess] = likely_groups(tmp_path, files, DataSettings())
    assert guess.startswith("The times of the photos look like 8 bursts (such as that of IMG_0000.jpg).")
    assert "--set data.sequences=time" in guess


def test_photos_far_apart_and_photos_without_a_time_are_no_bursts(tmp_path):
    assert likely_groups(tmp_path, camera(tmp_path, range(0, 1200, 40)), DataSettings()) == []
    assert likely_groups(tmp_path, [f"x{n}.jpg" for n in range(30)], DataSettings()) == []


@pytest.mark.parametrize(
    ("column", "setting"),
    [
        ("Patient ID", "'data.subject_column=Patient ID'"),
        ("subjectId", "data.subject_column=subjectId"),
        ("clip_name", "data.sequence_column=clip_name"),
        ("PATIENT", "data.subject_column=PATIENT"),
    ],
)
def test_a_column_of_subjects_or_sequences_is_proposed(tmp_path, column, setting):
    files = [f"{n}.jpg" for n in range(24)]
    rows = [f"{file},cat,{n // 3}" for n, file in enumerate(files)]
    (tmp_path / "labels.csv").write_text("\n".join([f"file,labels,{column}", *rows]))
    for file in files:
        (tmp_path / file).write_bytes(b"x")
    [guess] = likely_groups(tmp_path, files, DataSettings())
    assert setting in guess
    assert "8 values for 24 photos" in guess


def test_columns_that_say_something_else_are_not_proposed(tmp_path):
    files = [f"{n}.jpg" for n in range(24)]
    rows = [f"{file},cat,p{n},{n % 2},{n // 3}" for n, file in enumerate(files)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,labels,patient,subject sex,batch", *rows]))
    assert likely_groups(tmp_path, files, DataSettings()) == []
