"""Runs on several machines: shards of a run, and workers on a Ray cluster."""
