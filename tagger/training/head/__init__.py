"""Train heads on cached features: one head, or one for each fold."""
