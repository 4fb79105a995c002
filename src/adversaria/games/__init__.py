"""Games: players who move in turn."""
