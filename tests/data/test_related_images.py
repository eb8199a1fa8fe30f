"""Photos that belong together stay together: by column, folder, name and time; and a guess is only proposed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from small import train_argv

from tagger.data import read_dataset, split_images
from tagger.data.related_images import joined, likely_sequences, related_ids
from tagger.errors import TaggerError
from tagger.runs import RunFolder
from tagger.scoring.bootstrap import image_weights
from tagger.setting_sections import DataSettings


def sets(ids):
    """Sets of rows with the same number."""
    return {frozenset(np.flatnonzero(ids == number).tolist()) for number in np.unique(ids[ids >= 0])}


def test_frames_of_a_clip_are_one_sequence_by_name_and_by_folder(tmp_path):
    files = [f"day{day}/clip{clip}_{frame:03}.jpg" for day in (1, 2) for clip in (1, 2) for frame in range(3)]
    ((_, by_name),) = related_ids(tmp_path, files, DataSettings(sequences="name"))
    assert sets(by_name) == {frozenset(range(n, n + 3)) for n in (0, 3, 6, 9)}
    ((_, by_folder),) = related_ids(tmp_path, files, DataSettings(sequences="folder"))
    assert sets(by_folder) == {frozenset(range(6)), frozenset(range(6, 12))}


def test_camera_names_are_not_one_sequence_in_silence(tmp_path):
    files = [f"IMG_{n:04}.jpg" for n in range(50)]
    with pytest.raises(TaggerError, match=r"50 photos of 50 would belong together, such as IMG_0000\.jpg"):
        related_ids(tmp_path, files, DataSettings(sequences="name"))
    assert likely_sequences(files) == ""


def test_a_burst_is_found_by_the_time_of_the_photos(tmp_path):
    for n, second in enumerate((0, 1, 2, 10, 11, 30)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 12:00:{second:02}"
        Image.new("RGB", (8, 8), (n, 0, 0)).save(tmp_path / f"{n}.jpg", exif=exif)
    Image.new("RGB", (8, 8)).save(tmp_path / "6.jpg")
    files = [f"{n}.jpg" for n in range(7)]
    ((_, ids),) = related_ids(tmp_path, files, DataSettings(sequences="time", burst_gap=2))
    assert sets(ids) == {frozenset({0, 1, 2}), frozenset({3, 4}), frozenset({5})}
    assert ids[6] == -1


def test_subjects_come_from_a_table_and_its_column_is_no_label(tmp_path):
    rows = ["file,cat,dog,patient"]
    for n in range(12):
        Image.new("RGB", (8, 8), (20 * n, 0, 0)).save(tmp_path / f"{n}.png")
        rows.append(f"{n}.png,{n % 2},{n % 3 // 2},p{n // 3}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    settings = DataSettings(path=str(tmp_path), subject_column="patient")
    dataset = read_dataset(tmp_path, read_options=settings)
    assert dataset.labels == ("cat", "dog")
    ((what, ids),) = related_ids(tmp_path, dataset.images["file"].tolist(), settings)
    assert "patient" in what
    found = {frozenset(dataset.images["file"].iloc[list(rows)]) for rows in sets(ids)}
    assert found == {frozenset(f"{n}.png" for n in range(start, start + 3)) for start in (0, 3, 6, 9)}


def test_a_column_that_is_nowhere_is_named_with_the_nearest(tmp_path):
    (tmp_path / "labels.csv").write_text("file,patient\na.jpg,1\n")
    with pytest.raises(TaggerError, match="Did you mean 'patient'"):
        related_ids(tmp_path, ["a.jpg"], DataSettings(subject_column="patients"))


def test_names_that_look_like_sequences_are_proposed_with_the_setting():
    files = [f"clip{clip}_{frame}.jpg" for clip in range(8) for frame in range(4)]
    assert "8 sequences" in likely_sequences(files)
    assert "--set data.sequences=name" in likely_sequences(files)
    assert likely_sequences([f"{name}.jpg" for name in "abcdefgh"]) == ""
    assert likely_sequences([f"cat{n}.jpg" for n in range(9)] + [f"dog{n}.jpg" for n in range(9)]) == ""


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=20))
def test_joined_sets_are_connected_components(pairs):
    ids = np.array(pairs, np.int64).T
    parent = list(range(len(pairs)))  # an oracle: union by repeated relabelling

    def relabel(a, b):
        old, new = parent[b], parent[a]
        for n, value in enumerate(parent):
            parent[n] = new if value == old else value

    for column in ids:
        for a in range(len(pairs)):
            for b in range(a):
                if column[a] == column[b] >= 0:
                    relabel(a, b)
    expected = {frozenset(n for n, value in enumerate(parent) if value == root) for root in set(parent)}
    assert sets(joined(*ids)) == expected


def test_splits_and_folds_are_disjoint_as_scikit_learns_are():
    rng = np.random.default_rng(0)
    groups = rng.integers(40, size=400)
    labels = rng.integers(2, size=(400, 3)).astype(np.int8)
    found = split_images(labels, [f"{n:03}" for n in range(400)], groups=groups)
    for part in (found.split, found.fold):
        owner = {}
        for group, value in zip(groups.tolist(), part.tolist(), strict=True):
            assert owner.setdefault(group, value) == value
    for train, test in GroupKFold(5).split(labels, groups=groups):
        assert not set(groups[train]) & set(groups[test])  # what the name promises there, too


def test_the_bootstrap_draws_whole_sets():
    related = np.array([7, 7, 3, 3, 3, 9])
    weights = np.hstack(list(image_weights(6, 200, related_N=related)))
    for number in (3, 7, 9):
        of_set = weights[related == number]
        assert (of_set == of_set[0]).all()
    per_set = weights[[0, 2, 5]]
    assert (per_set.sum(axis=0) == 3).all()
    assert weights.mean() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("together", [True, False])
def test_random_labels_of_subjects_are_predicted_only_where_a_subject_is_in_two_folds(together):
    """Planted: each subject has its own constant and a random label; nearest neighbour of the other folds."""
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(1000), 3)
    features = rng.normal(size=(1000, 8))[subject] + 0.05 * rng.normal(size=(3000, 8))
    labels = rng.integers(2, size=1000)[subject].astype(np.int8)[:, None]
    groups = subject if together else None
    fold = split_images(labels, [f"{n:04}" for n in range(3000)], groups=groups, test=0.0, val=0.0).fold
    score = np.zeros(3000)
    for part in range(5):
        inside, outside = np.flatnonzero(fold == part), np.flatnonzero(fold != part)
        far = (features[outside] ** 2).sum(axis=1) - 2 * features[inside] @ features[outside].T
        score[inside] = labels[outside[far.argsort(axis=1)[:, :3]], 0].mean(axis=1)
    found = roc_auc_score(labels[:, 0], score)
    assert abs(found - 0.5) < 0.05 if together else found > 0.8


def test_train_keeps_sequences_together_and_suspects_look_elsewhere(tagger_cli, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "data").mkdir()
    rows = ["file,cat,dog"]
    for clip in range(12):
        for frame in range(3):
            name = f"clip{clip}_{frame}.png"
            Image.fromarray(rng.integers(0, 255, (16, 16, 3), np.uint8)).save(tmp_path / "data" / name)
            rows.append(f"{name},{clip % 2},{frame % 2}")
    (tmp_path / "data/labels.csv").write_text("\n".join(rows))
    done = tagger_cli(*train_argv(tmp_path / "data", tmp_path / "plain"))
    assert "12 sequences of frames" in " ".join(done.out.split())
    done = tagger_cli(*train_argv(tmp_path / "data", tmp_path / "run", data__sequences="name"))
    assert done.code == 0, done.err
    assert "12 sets of photos that belong together" in " ".join(done.out.split())
    images = RunFolder(tmp_path / "run").load_images()
    clip = images["file"].str.partition("_")[0]
    assert (images.groupby(clip)["split"].nunique() == 1).all()
    assert (images.groupby(clip)["fold"].nunique() == 1).all()
    assert tagger_cli("suspects", "--run", tmp_path / "run").code == 0
    nearest, _ = RunFolder(tmp_path / "run").load_neighbours()
    related = images["related"].to_numpy()
    assert ((nearest < 0) | (related[nearest] != related[:, None])).all()
    assert "related" not in RunFolder(tmp_path / "plain").load_images()
