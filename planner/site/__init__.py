"""Static web pages of trajectories."""
