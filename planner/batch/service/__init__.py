"""An engine that sends requests in files to a provider's batch service, which answers within a day."""
