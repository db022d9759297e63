"""A producer of certificates that is tiny, slow and independent: it walks every step of a run with 80-digit mpmath
numbers and takes the lower convex hull of all candidate corners. It shares no code with `accountant` or with
`certify/checker.py`; a test reads that off its imports."""
