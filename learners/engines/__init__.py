"""Per-record gradient norms and weighted sums for any network whose records can be told apart."""

from learners.engines.engine import BookKeeping, Gradients
from learners.engines.explain import Explained, explain, explain_engine
from learners.engines.layers import LayerRule, Materialised, Part

__all__ = ["BookKeeping", "Explained", "Gradients", "LayerRule", "Materialised", "Part", "explain", "explain_engine"]
