"""Limits, and the ways to refuse."""

from __future__ import annotations

WORK = 16_000_000  # units that may be spent, see *Work*
MAX_BYTES = 16 * 2**20
MAX_NESTING = 32
MAX_NUMBER = 400  # characters
MAX_DERIVED = 2000  # bits of the numerator and the denominator of a number that is compared with such a text
PRECISIONS = (128, 256, 512, 1024, 2048, 4096, 8192)  # bits, tried in turn until a comparison is decided
MAX_EXACT = 2**16  # bits of c^steps up to which an undecided comparison is settled in exact rationals
MAX_POINTS = 1_000_000  # points of one schedule that are looked at one by one (only c > 1 needs many)
MAX_EXCURSIONS = 100_000  # of T26
MAX_BATCHES = 100_000  # batches with differing records
MAX_POSITIONS = 20_000  # batches that are looked at when their order is secret
MAX_SUM_BITS = 512  # precision up to which a sum over them is compared
MAX_STEPS = 2**128
LOSS_DIGITS = 18  # significant digits to which an irrational constant of a loss is rounded up
MAX_LOG_GROWTH = 100  # of e^(X·R), Poisson regression
MAX_RANGE_STEPS = 20_000  # steps of T24
MAX_NODES = 2**18  # T19: of the grid of one step
MAX_SAMPLED = 10**7  # sampled steps
MAX_GROUPS = 16  # different sampled releases
MAX_GROUP = 128  # records of a group that have coins of their own
MAX_ORDER = 512  # T18
MAX_ORDERS = 32
MAX_REACH = 600  # losses of one step beyond ±600 are given away
MAX_EPSILON = 10_000
ONE_WAY = 30  # ε from which on the two directions are looked at one by one
FEW_STEPS = 2000  # up to which finer grids are tried for a lower bound
MAX_GRID_DIGITS = 1000  # of a grid that a certificate brings
MAX_HALVINGS = 64
MAX_DIGITS = 60  # of 1/delta
MAX_SIGNATURES = 32  # and keys
MAX_KEY = 2**16  # bytes of a key file
MAX_FIGURE = 200  # points of a picture
CERTIFICATE = "urn:plumbline-dp:certificate:v2"
ERASURE = "urn:plumbline-dp:erasure:v2"
EARLIER = {  # predicate types that this checker does not read -> what does
    "urn:plumbline-dp:certificate:v1": "plumbline-dp 0.1",
    "urn:plumbline-dp:erasure:v1": "plumbline-dp 0.1",
}


class CheckError(Exception):
    """A certificate that is refused. `steps` are the report's lines up to the failure."""

    exit_code = 70
    steps: tuple[str, ...] = ()


class Malformed(CheckError):
    """The input is no certificate at all, or an option is wrong."""

    exit_code = 2


class Mismatch(CheckError):
    """The bytes, the run or a file are not those that a digest names, or not signed by those who should have."""

    exit_code = 4


class DoesNotFollow(CheckError):
    """The certificate is intact, but what it claims does not follow."""

    exit_code = 1


class OutOfWork(CheckError):
    """The work that may be done is used up: nothing was decided."""

    exit_code = 3


class Undecided(Exception):
    """Two enclosures overlap: the comparison needs more precision."""


def require(condition: bool, message: str) -> None:
    """A side condition or a conclusion: it holds, or the claim does not follow."""
    if not condition:
        raise DoesNotFollow(message)
