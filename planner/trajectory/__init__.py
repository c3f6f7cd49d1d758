"""Trajectories: reasoning and plan of one paper, and the file format that holds them."""
