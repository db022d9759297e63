"""Bounds in doubles, many at a time; nothing here is certified."""
