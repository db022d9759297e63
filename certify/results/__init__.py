"""Verdicts and what stands beside them: certify, calibrate, compare, plan, explain, crosscheck."""
