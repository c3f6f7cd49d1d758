"""The engine of a provider's batch service: requests go out in files, and replies come back within a day."""
