"""Where the status of sources is kept."""
