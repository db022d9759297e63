"""The theorems about noisy gradient descent."""
