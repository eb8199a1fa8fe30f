"""Files of one shot: a raw or HEIC file beside its photo, and an iPhone's edited version, as data.pairs says."""

import pytest
from PIL import Image

from tagger.data import list_images, read_dataset
from tagger.data.related_images import related_ids
from tagger.errors import TaggerError
from tagger.presets import load_read_options
from tagger.setting_sections import DataSettings

FILES = (
    "IMG_1001.HEIC",
    "IMG_1001.JPG",
    "IMG_1002.JPG",
    "IMG_E1002.JPG",
    "IMG_1003.NEF",
    "IMG_1003.jpg",
    "x.jpg",
)


@pytest.fixture
def phone(tmp_path):
    """A folder with pairs of every kind. Their suffixes say what they are; each is a small photo."""
    for n, name in enumerate(FILES):
        Image.new("RGB", (8, 8), (30 * n, 0, 0)).save(tmp_path / name, "JPEG")
    return tmp_path


def test_each_way_lists_the_files_that_are_photos(phone):
    assert set(list_images(phone).files) == set(FILES) - {"IMG_1003.NEF"}
    assert set(list_images(phone, "share").files) == set(FILES) - {"IMG_1003.NEF", "IMG_1001.HEIC"}
    assert set(list_images(phone, "separate").files) == set(FILES)
    assert "2 raw or HEIC files beside a photo of the same name" in list_images(phone, "share").left_alone[0]


def test_refused_pairs_are_all_named_with_the_settings(phone):
    with pytest.raises(TaggerError) as refused:
        list_images(phone, "refuse")
    said = str(refused.value)
    assert "3 shots with several files" in said
    for pair in (
        "IMG_1001.HEIC and IMG_1001.JPG",
        "IMG_1002.JPG and IMG_E1002.JPG",
        "IMG_1003.NEF and IMG_1003.jpg",
    ):
        assert pair in said
    assert "--set data.pairs=share" in said


def test_a_sidecar_of_a_shot_is_read_where_its_files_are_one_photo(phone):
    for name, text in (("IMG_1001", "cat"), ("IMG_1002", "dog"), ("IMG_1003", "sea"), ("x", "sky")):
        (phone / f"{name}.txt").write_text(text)
    apart = read_dataset(phone)
    assert not {"IMG_1001.HEIC", "IMG_1001.JPG"} & set(apart.images["file"])
    [problem] = [one for one in apart.problems if one.file == "IMG_1001.txt"]
    assert "If they are one shot: --set data.pairs=share" in problem.reason
    shared = read_dataset(phone, read_options=load_read_options(["data.pairs=share"]))
    assert {"IMG_1001.JPG", "IMG_1002.JPG", "IMG_1003.jpg", "x.jpg"} == set(shared.images["file"])


def test_a_row_that_names_the_other_file_of_a_shot_means_its_photo(phone):
    rows = ["file,labels", "IMG_1001.HEIC,cat", "img_1003.nef,dog", "x.jpg,cat"]
    (phone / "labels.csv").write_text("\n".join(rows))
    shared = read_dataset(phone, read_options=load_read_options(["data.pairs=share"]))
    assert shared.images["file"].tolist() == ["IMG_1001.JPG", "IMG_1003.jpg", "x.jpg"]


def test_files_of_a_shot_stay_in_one_split(phone):
    files = list(list_images(phone, "separate").files)
    ((what, ids),) = related_ids(phone, files, DataSettings(path=str(phone), pairs="separate"))
    assert what == "shot"
    sets = {
        frozenset(f for f, n in zip(files, ids, strict=True) if n == number) for number in set(ids) - {-1}
    }
    assert sets == {frozenset(FILES[:2]), frozenset(FILES[2:4]), frozenset(FILES[4:6])}
    assert related_ids(phone, files, DataSettings(path=str(phone))) == []


def test_sidecars_are_written_for_a_shot_as_the_run_reads_it(phone, tmp_path_factory):
    import numpy as np

    from tagger.commands.writers import write_labels

    labels = np.ones((1, 1), np.int8)
    for pairs, reasons in (("raw", 1), ("share", 0)):
        out = tmp_path_factory.mktemp(pairs)
        done = write_labels(["IMG_1001.JPG"], labels, ["cat"], root=phone, out=out, format="txt", pairs=pairs)
        assert len(done.problems) == reasons
        assert (out / "IMG_1001.txt").exists() == (not reasons)
