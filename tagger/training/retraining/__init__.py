"""Parts of a retraining: warm start, and targets for doubted cells."""
