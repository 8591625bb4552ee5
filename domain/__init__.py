"""Pure values and decisions of Annals: what a registry is, and how its history is told."""
