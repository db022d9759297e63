"""The trusted core: the kernel, exact numbers, enclosures, and the arithmetics that one body is computed in."""
