"""Altair charts of the pages, and the small tables that they draw."""
