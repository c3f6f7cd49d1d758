"""Static pages from trajectories."""
