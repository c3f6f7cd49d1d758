"""Read and write trajectories: the reasoning and the plan of one paper, in the published file format."""
