"""Verify a Plumbline certificate with nothing but Python (3.11 or later).

    python checker.py CERTIFICATE [--digest HEX] [--key PUB.pem ...] [--threshold N] [--subject FILE ...] [--date DAY]
                                  [--work N]
    python checker.py ERASURE_RECORD --certificate CERTIFICATE [...]

This file may be copied alone to another machine. Checking signatures (--key), and only that, needs `cryptography` too.

    --digest HEX     the SHA-256 that the canonical run must have
    --key PUB.pem    an Ed25519 public key (PEM) whose signature is wanted; may be repeated
    --threshold N    how many different keys among these must have signed; all of them, unless given
    --subject FILE   a file that the certificate must be about (model.npy, run_record.json); may be repeated
    --certificate CERTIFICATE    of an erasure record: the certificate that it names
    --date DAY       YYYY-MM-DD: what has expired by the end of that day, UTC, has expired; now, unless given
    --work N         how much work may be done, in units of about a microsecond; 16000000, unless given

A certificate (format: docs/certificate.md) carries a run, a claim about it, and a proof. This file believes none of it:
it restates the theorems, derives from the run what each step of the proof must say, and computes every bound again in
integer arithmetic that rounds outward. Floating point chooses grids, of which any would do, where a certificate brings
none, and decides nothing; an undecided comparison is a refusal. What it cannot check, it prints: the assumptions under
which the claim holds, and a lower bound that it could not confirm. It never says that a deployed system is private.
What was run, and what pictures are drawn from, are the producer's word: of these it checks the shape, and that they
agree with the run.
An erasure record is verified with the certificate that it names, which must have the same entry; without it the record
is only known to be whole.

    verify(data: bytes, digest: str | None = None, *, keys: Sequence[bytes] = (), threshold: int | None = None,
           subjects: Sequence[str] = (), now: datetime | None = None, certificate: bytes | None = None,
           work: int = WORK) -> Report                     raises Malformed, Mismatch, DoesNotFollow, OutOfWork

    exit 0   verified, and the claim is CERTIFIED
    exit 1   verified, but the claim is NOT_CERTIFIED; or the claim does not follow, or has expired   (DoesNotFollow)
    exit 2   malformed input, or wrong usage                                                          (Malformed)
    exit 3   verified, and the claim is INDETERMINATE; an erasure record without its certificate; the work that
             may be done is used up, and nothing was decided                                          (OutOfWork)
    exit 4   a digest, a subject or a signature does not match                                        (Mismatch)
    exit 70  internal error

The eight steps of `verify`, as numbered in docs/certificate.md:
    1 size   2 envelope   3 types   4 subject   5 side conditions   6 recomputation   7 target   8 expiry

Contents: limits, work, numbers, shapes of JSON; the theorems about noisy gradient descent (T1 to T11, T16, T22 to T26)
and about sampled batches (T14, T15, T17 to T20, T27); the canonical run and what it implies; signatures, side
conditions, recomputation, figures; command line.
"""
