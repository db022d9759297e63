"""PNSGD: from a mechanism to a derivation, and the untrusted searches that choose among proved bounds."""
