"""Export of a run's model: the exported module, the file formats, and the check that both agree."""
