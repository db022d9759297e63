"""A trainer draws by learners.samplers, and there is nothing to look at without it."""

from importlib.util import find_spec

if find_spec("learners.samplers") is None:
    collect_ignore_glob = ["test_*.py"]
