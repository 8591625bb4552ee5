"""How Annals is reached: the command line, the HTTP server, and what puts the parts together."""
