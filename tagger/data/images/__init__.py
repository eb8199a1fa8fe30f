"""Image files: listing, hashing, decoding within limits, and near duplicates."""
