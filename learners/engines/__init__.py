"""Per-record gradient norms and weighted sums for any network whose records can be told apart."""

from learners.engines.engine import BookKeeping, Gradients
from learners.engines.explain import Explained, explain, explain_engine
from learners.engines.layers import LayerRule, Materialised, Part
from learners.engines.probe import check_loss, check_records_apart
from learners.engines.refusals import check_losses, check_module

__all__ = [
    "BookKeeping",
    "Explained",
    "Gradients",
    "LayerRule",
    "Materialised",
    "Part",
    "check_loss",
    "check_losses",
    "check_module",
    "check_records_apart",
    "explain",
    "explain_engine",
]
