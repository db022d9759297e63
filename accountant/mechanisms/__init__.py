"""Frozen descriptions of what is run, complete enough for a stranger to account for."""
