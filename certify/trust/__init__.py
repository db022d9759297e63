"""Certificates and what is done with them: verify, sign, gate, erasure records."""
