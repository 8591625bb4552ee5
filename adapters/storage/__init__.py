"""Where the event log and its views are kept."""
