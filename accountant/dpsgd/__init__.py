"""DP-SGD and relatives: from a mechanism to a derivation, and estimates in doubles."""
