"""Division of a batch run among several machines, as shards or as workers on a Ray cluster."""
