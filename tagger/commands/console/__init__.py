"""What a command shows: lines, tables and progress on the terminal, and the progress file."""
