"""Steps that several commands share: reading data, decisions, duplicate groups, finalizing a run."""
