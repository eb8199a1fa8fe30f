"""Training: pipeline, objective, features, dynamics; heads, networks and retraining in sub-packages."""
