"""What a certificate holds: shapes, the canonical run and what it implies, what was run."""
