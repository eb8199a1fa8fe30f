"""What only a retraining needs: warm start, and targets for doubted cells."""
