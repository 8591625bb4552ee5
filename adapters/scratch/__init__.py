"""Files for what a process has no room for in memory."""
