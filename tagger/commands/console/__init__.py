"""What a command shows: lines, tables, progress, and the tables of metrics."""
