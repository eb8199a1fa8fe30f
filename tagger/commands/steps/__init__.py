"""The steps that several commands share: reading with progress, splitting, fitting, finalizing a run."""
