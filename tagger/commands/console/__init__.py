"""Output of a command: lines, tables and progress on the terminal, and the progress file."""
