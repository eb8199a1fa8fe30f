"""Tools for data sets: checks, statistics, duplicates, quality, label noise and the demo set."""
