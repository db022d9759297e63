"""The gate: certificates held to a policy, with their report's warnings and with the ledgers that may revoke them."""
