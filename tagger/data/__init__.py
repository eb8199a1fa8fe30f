"""Images and labels as tables: reading a data folder, splits and label statistics (no torch)."""

from tagger.data.constraints import LabelGroup, MinedRule, Rule, violates_group_N, violates_rule_N
from tagger.data.dataset import Dataset, read_dataset
from tagger.data.formats.readers import label_readers
from tagger.data.images.hashes import hash_files
from tagger.data.images.listing import Listing, iter_images, list_images
from tagger.data.images.near_duplicates import near_duplicate_groups
from tagger.data.split import Split, split_images, split_table
from tagger.data.stats import (
    LabelStats,
    cooccurrence_blocks,
    cooccurrence_matrix,
    cooccurring_pairs,
    frequent_cooccurrence,
    label_stats,
    mine_rules,
)
from tagger.data.vocabulary import EMPTY_VOCABULARY, Vocabulary, parse_labels_toml
from tagger.read_options import ReadOptions

__all__ = [
    "EMPTY_VOCABULARY",
    "Dataset",
    "LabelGroup",
    "LabelStats",
    "Listing",
    "MinedRule",
    "ReadOptions",
    "Rule",
    "Split",
    "Vocabulary",
    "cooccurrence_blocks",
    "cooccurrence_matrix",
    "cooccurring_pairs",
    "frequent_cooccurrence",
    "hash_files",
    "iter_images",
    "label_readers",
    "label_stats",
    "list_images",
    "mine_rules",
    "near_duplicate_groups",
    "parse_labels_toml",
    "read_dataset",
    "split_images",
    "split_table",
    "violates_group_N",
    "violates_rule_N",
]
