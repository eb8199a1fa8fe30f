"""The report of a run: its plots and its model card."""
