"""One file per command. What is slow to import is imported by the command that uses it."""
