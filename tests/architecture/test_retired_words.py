"""Names that were retired because a reader needed a glossary for them; and one name for one thing."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from measures import ROOT, source_files

# Words that no name of a module, function, class, parameter or variable may have in it -> what it is called now.
RETIRED = {
    "adopt": "set_operations", "album": "CardBuilder", "blame": "diagnose_nonfinite", "conclude": "finalize_run",
    "desk": "ReviewSession", "doubter": "noisy_targets", "embedder": "feature_source", "gentler": "finetune_settings",
    "handover": "retrain_inputs", "heed": "on_verdicts", "lane": "thread_map", "lanes": "thread_map",
    "learner": "TrainStep", "ledger": "DecisionIndex", "lesson": "targets", "lessons": "targets",
    "lettering": "label_fonts", "material": "TrainingData", "parted": "split_targets", "quicker": "FusedTraining",
    "reconsider": "rescore", "remedy": "db_error_hints", "unsound": "finite_weights", "untrained": "model_init",
    "wording": "text", "workplace": "app_state",
}  # fmt: skip
# Whole names (not words in others) that stood for several ideas at once.
RETIRED_NAMES = {
    "Begun": "PreparedHead", "Decided": "ReviewedLabels or PredictedLabels", "Facts": "FileStat, RegulariserContext",
    "Layout": "GroupLayout, FeatureLayout", "Material": "TrainingData", "Outputs": "BatchOutputs",
    "Part": "LabelBatch, PartSettings", "Side": "ComparedRun, BlockwiseMetrics", "Source": "LabelReader",
    "Structure": "LabelConstraints", "Task": "FitTask", "Trained": "TrainingResult", 
    "each": "parallel_for", "folded": "fuse_batchnorm", "in_lanes": "thread_map", "take_in": "ingest",
    "pull_back": "wise_ft", "grown": "resize_for_epoch",
    "BEGUN": "FIRST_FILES", "FORMATS": "LABEL_FORMATS", "PARTS": "BATCH_FILES", "RUN": "RUN_FILES",
    "ReadImages": "LoadedImages", "artifacts": "base_folder", "check_list": "check_own_csv",
    "dispatch": "write_labels", "edit_vocabulary": "vocabulary_after", "rows_by_hash": "image_rows_by_hash",
    "structure": "constraints", "table_formats": "batch_formats",
}  # fmt: skip
DOC_WORDS = re.compile(
    r"\b(lanes?|lessons?|doubter|album|ledger|unsound|in_lanes|take_in|pull_back|blamed?)\b", re.IGNORECASE
)


def names(path: Path) -> Iterator[tuple[int, str]]:
    """(line, name) of the file itself and of everything that it defines or assigns."""
    yield 1, path.stem
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def words(name: str) -> set[str]:
    """The words of a name, in small letters.

    >>> sorted(words("_fitHeads_NK"))
    ['fit', 'heads', 'nk']
    """
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def retired(files: list[Path]) -> Iterator[str]:
    """One sentence for each retired name that is in use again."""
    for path in files:
        for line, name in names(path):
            for word in words(name) & RETIRED.keys():
                yield f"{path.name}:{line} {name}: {word!r} is retired; the term is {RETIRED[word]}"
            if name in RETIRED_NAMES:
                yield f"{path.name}:{line} {name}: retired; the term is {RETIRED_NAMES[name]}"


def test_no_retired_name_is_used_again():
    assert list(retired(source_files())) == []


def test_no_page_of_the_docs_uses_a_retired_word():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    found = [
        f"{page.relative_to(ROOT)}:{number} {match.group()}"
        for page in pages
        for number, line in enumerate(page.read_text("utf-8").splitlines(), start=1)
        for match in DOC_WORDS.finditer(line)
    ]
    assert found == []


def test_one_class_name_stands_for_one_thing():
    """Classes and type aliases; an option of a command (``Annotated``) and a type variable are neither."""
    places: dict[str, set[str]] = defaultdict(set)
    for path in source_files():
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].add(path.as_posix())
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                value = ast.unparse(node.value)
                if value.startswith(("Annotated[", "TypeVar(", "ParamSpec(")):
                    continue
                if name[0].isupper() and not name.isupper():
                    places[name].add(path.as_posix())
    assert {name: sorted(found) for name, found in places.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    "source",
    ["def in_lanes(): ...", "class Task: ...", "def f(lessons): ...", "blame = 1", "self.the_desk = 1"],
)
def test_a_retired_name_is_seen(tmp_path: Path, source: str):
    (tmp_path / "a.py").write_text(source)
    assert len(list(retired([tmp_path / "a.py"]))) >= 1
