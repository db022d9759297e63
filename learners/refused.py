"""The refusal that every part of the learners shares."""


class LearnerRefused(ValueError):
    """Something asked for that the mechanism does not say; the message names the key, the value and the fix."""
