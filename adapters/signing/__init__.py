"""Keys that sign what the log says of itself."""
