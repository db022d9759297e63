"""Verification: signatures, side conditions, recomputation, what is displayed, the command line."""
