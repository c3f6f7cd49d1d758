"""Measurements of the whole program, run by `make bench`."""
