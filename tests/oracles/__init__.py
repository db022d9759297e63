"""Slow, independent oracles: written from docs/theory.md alone, importing nothing of `accountant` or `certify`.

Each module says how large its own error is; a test that compares against an oracle must allow that error and no more.
"""
