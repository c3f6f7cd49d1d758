"""The planner as tools of the Model Context Protocol: papers and plans in named folders, for a client's own model."""
