"""Tables of public bug reports of other programs, with the address of each; what those programs misread is read."""

import pytest
from said import as_dict

from tagger.data import read_dataset
from tagger.errors import TaggerError

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
    "github.com/refuel-ai/autolabel/pull/411": (
        'file,labels\n0.jpg,"joy, love"\n1.jpg,joy\n2.jpg,love\n',
        [["joy", "love"], ["joy"], ["love"]],
    ),
}


@pytest.mark.parametrize("report", REPORTS)
def test_what_another_program_misread_is_read(folder, report):
    text, wanted = REPORTS[report]
    files = ["0.jpg", "1.jpg", "2.jpg"]
    assert list(as_dict(read_dataset(folder(files, **{"labels.csv": text}))).values()) == wanted


def test_one_of_several_columns_of_labels_is_not_proposed_as_all_of_them(folder):
    """github.com/oracle/tribuo/issues/301."""
    root = folder(["0.jpg", "1.jpg"], **{"labels.csv": "file,label 1,label 2\n0.jpg,cat,dog\n1.jpg,dog,\n"})
    with pytest.raises(TaggerError) as refused:
        read_dataset(root)
    assert "'data.labels_column=label 1,label 2'" in str(refused.value)
    assert "data.labels_column=label 1'" not in str(refused.value)
