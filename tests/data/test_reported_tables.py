"""Tables of public bug reports of other programs, with the address of each; what those programs misread is read."""

import pytest
from said import as_dict

from tagger.data import read_dataset
from tagger.errors import TaggerError
from tagger.presets import load_read_options

REPORTS = {
    "github.com/deepset-ai/FARM/issues/493": (
        'file,labels\n0.jpg,"MM\nPR"\n1.jpg,MM\n2.jpg,PR\n',
        [["MM", "PR"], ["MM"], ["PR"]],
    ),
    "github.com/doccano/doccano/issues/1821": (
        "file,labels\n0.jpg,label1#label2\n1.jpg,label1\n2.jpg,label2\n",
        [["label1", "label2"], ["label1"], ["label2"]],
    ),
    "github.com/fastai/fastai/pull/175": (
        "file,labels\n0.jpg,polar bear|brown bear\n1.jpg,polar bear\n2.jpg,\n",
        [["brown bear", "polar bear"], ["polar bear"], []],
    ),
    "github.com/fastai/fastai/issues/1008": ("file,labels\n0,cat\n00001,dog\n2,\n", [["cat"], ["dog"], []]),
    "github.com/Lightning-Universe/lightning-flash/issues/728": (
        "file,labels\n0.jpg,scab frog_eye_leaf_spot complex\n1.jpg,scab\n2.jpg,frog_eye_leaf_spot complex\n",
        [["complex", "frog_eye_leaf_spot", "scab"], ["scab"], ["complex", "frog_eye_leaf_spot"]],
        ["label_separator=space"],
    ),
    "github.com/HumanSignal/label-studio/issues/7294": (
        'file,labels\n"..\\media\\upload\\4\\cb0618f6-0.jpg",cat\n"..\\upload\\4\\1b0618f6-1.jpg",dog\n'
        "/data/upload/2b0618f6-2.jpg,cat\n",
        [["cat"], ["dog"], ["cat"]],
    ),
    "github.com/kbressem/faimed3d/issues/69": (
        ",level_0,index,file,labels\n0,126,1,/home/x/0.jpg,cat\n1,127,2,/home/x/1.jpg,dog\n2,135,0,/home/x/2.jpg,cat\n",
        [["cat"], ["dog"], ["cat"]],
    ),
    "github.com/ieee8023/covid-chestxray-dataset/issues/96": (
        "patientid,filename,finding\n1,0,Pneumonia\n2,1.jpg,No Finding\n3,2,Pneumonia\n",
        [["Pneumonia"], ["No Finding"], ["Pneumonia"]],
        ["file_column=filename", "labels_column=finding", "label_separator=none"],
    ),
    "github.com/fastai/fastai/issues/1506": (
        "0.jpg,0\n1.jpg,1\n2.jpg,0\n",
        [["0"], ["1"], ["0"]],
        ["columns=file,labels"],
    ),
    "github.com/Tessellate-Imaging/monk_v1/issues/94": (
        "ID,Labels\n0,Men Shirts\n1,Women Shoes\n2,Men Shoes\n",
        [["Men", "Shirts"], ["Shoes", "Women"], ["Men", "Shoes"]],
        ["file_column=ID", "labels_column=Labels", "label_separator=space"],
    ),
    "github.com/cleanlab/cleanlab-studio/pull/56": (
        "vizzy_id,vizzy_path,label\n7,imgs/0.jpg,cat\n8,imgs/1.jpg,dog\n9,imgs/2.jpg,cat\n",
        [["cat"], ["dog"], ["cat"]],
        ["file_column=vizzy_path", "labels_column=label"],
    ),
    "github.com/voxel51/fiftyone/pull/1377": (
        '{"classes": ["cat", "dog"], "labels": {"0": [0, 1], "1": [1], "2": null}}',
        [["cat", "dog"], ["dog"], []],
        ["labels.json"],
    ),
    "github.com/refuel-ai/autolabel/pull/411": (
        'file,labels\n0.jpg,"joy, love"\n1.jpg,joy\n2.jpg,love\n',
        [["joy", "love"], ["joy"], ["love"]],
    ),
}


@pytest.mark.parametrize("report", REPORTS)
def test_what_another_program_misread_is_read(folder, report):
    """Without a setting, or with those that the refusal prints."""
    text, wanted, *needed = REPORTS[report]
    settings = needed[0] if needed else []
    name = settings.pop() if settings == ["labels.json"] else "labels.csv"
    root = folder(["0.jpg", "1.jpg", "2.jpg"], **{name: text})
    if needed:
        with pytest.raises(TaggerError) as refused:
            read_dataset(root)
        assert all(f"data.{setting}" in str(refused.value) for setting in settings), str(refused.value)
    options = load_read_options([f"data.{setting}" for setting in settings])
    assert list(as_dict(read_dataset(root, root / name, read_options=options)).values()) == wanted


def test_several_photos_in_a_cell_and_photos_that_another_program_renamed_are_refused_with_the_reason(folder):
    """github.com/autogluon/autogluon/pull/3388 and github.com/HumanSignal/label-studio/issues/878."""
    for cell in ("0.jpg;1.jpg", "/data/upload/g_mLPkNFG.jpg"):
        with pytest.raises(
            TaggerError, match=r"none of its 1 rows names an image .* Row 2: there is no image"
        ):
            read_dataset(folder(["0.jpg", "1.jpg"], **{"labels.csv": f"file,labels\n{cell},cat\n"}))


def test_a_class_number_in_a_table_and_the_name_of_its_folder_are_both_named(folder):
    """github.com/fastai/fastai/issues/1169."""
    files = [f"train/n{n % 2}/{n}.jpg" for n in range(6)]
    text = "filenames,cats\n" + "".join(f"n{n % 2}/{n}.jpg,{351 + n % 2}\n" for n in range(6))
    with pytest.raises(
        TaggerError, match=r"may stand in train\.csv.*data\.labels_column=cats.*For the sub-folders"
    ):
        read_dataset(folder(files, **{"train.csv": text}))


def test_one_of_several_columns_of_labels_is_not_proposed_as_all_of_them(folder):
    """github.com/oracle/tribuo/issues/301."""
    root = folder(["0.jpg", "1.jpg"], **{"labels.csv": "file,label 1,label 2\n0.jpg,cat,dog\n1.jpg,dog,\n"})
    with pytest.raises(TaggerError) as refused:
        read_dataset(root)
    assert "'data.labels_column=label 1,label 2'" in str(refused.value)
    assert "data.labels_column=label 1'" not in str(refused.value)
