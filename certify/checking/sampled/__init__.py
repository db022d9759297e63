"""The theorems about sampled batches."""
