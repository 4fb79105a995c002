"""Playing a game: the loop, its state, how players descend, what is written down."""
