"""Searches for schedules and witnesses; theorems check what they find."""
