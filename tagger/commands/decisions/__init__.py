"""``tagger decisions``: what people decided, listed, exported, imported, merged, backed up."""
