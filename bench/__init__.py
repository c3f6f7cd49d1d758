"""Measure the speed and memory of the whole program: `make bench`."""
