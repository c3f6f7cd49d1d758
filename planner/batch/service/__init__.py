"""The engine for a provider's batch service: requests go up in files, and replies come back within a day."""
