"""Audits of what the trainer executes: canaries whose gradients are as long as Δ allows, and how far they are seen."""

from learners.audits.audit import Audit, audit
from learners.audits.bounds import Bound, lower_bound, proportion
from learners.audits.canaries import Observed, observe
from learners.audits.noise import NoiseCheck, check_noise

__all__ = ["Audit", "Bound", "NoiseCheck", "Observed", "audit", "check_noise", "lower_bound", "observe", "proportion"]
