"""What the application needs of the world, as signatures."""
