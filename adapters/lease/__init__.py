"""Leases: which of several processes over one log does what only one may do."""
