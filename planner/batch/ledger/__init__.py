"""The ledger of a run: a SQLite file with every request, reply and result."""
