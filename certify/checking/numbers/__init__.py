"""Arithmetic that rounds outward: intervals, exact numbers, powers, exp and the normal tail, fixed point."""
