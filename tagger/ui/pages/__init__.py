"""Pages of the app, and the panels and controls that only pages use."""
