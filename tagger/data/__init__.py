"""Images and labels as tables: what a data folder holds, how it is split, what its labels look like. No torch here."""

from tagger.data.hashes import hash_files
from tagger.data.images import Listing, iter_images, list_images
from tagger.data.labels_toml import NO_VOCABULARY, Vocabulary, parse_labels_toml
from tagger.data.near_duplicates import near_duplicate_groups
from tagger.data.read import Dataset, read_dataset
from tagger.data.rules import Group, MinedRule, Rule, broken_group_N, broken_rule_N
from tagger.data.sources import sources
from tagger.data.split import Split, split_images, split_table
from tagger.data.stats import (
    LabelStats,
    frequent_together,
    label_stats,
    mine_rules,
    pair_blocks,
    pairs_together,
    together,
)
from tagger.sections import Reading

__all__ = [
    "NO_VOCABULARY",
    "Dataset",
    "Group",
    "LabelStats",
    "Listing",
    "MinedRule",
    "Reading",
    "Rule",
    "Split",
    "Vocabulary",
    "broken_group_N",
    "broken_rule_N",
    "frequent_together",
    "hash_files",
    "iter_images",
    "label_stats",
    "list_images",
    "mine_rules",
    "near_duplicate_groups",
    "pair_blocks",
    "pairs_together",
    "parse_labels_toml",
    "read_dataset",
    "sources",
    "split_images",
    "split_table",
    "together",
]
