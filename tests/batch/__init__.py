"""A corpus run, tested from the outside: the program as a process, a provider as another, a run folder between them."""
