"""From TOML to a checked run."""
