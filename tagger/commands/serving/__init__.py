"""A finished run that answers: the predictor, its heat maps, and the worker process."""
