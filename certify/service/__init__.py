"""Certify, then run, then record: the one place that drives the learners. Loaded only when asked for; needs torch."""

from certify.service.whole_run import Execution, NotCertified, execute

__all__ = ["Execution", "NotCertified", "execute"]
