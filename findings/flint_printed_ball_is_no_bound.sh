#!/usr/bin/env bash
# python-flint 0.9.0: three natural ways to read an `arb` ball give numbers that need not bound it, and order is lost.
# Expected: text of a ball without its radius, float(ball) or max(…) of balls is safe to use as a bound.
# Happens: str(3, radius=False) of a ball around 1/3 is 0.333 (below it), of one around 2/3 0.667 (above it); float(ball) is the
# midpoint; `max(a, b)` answers a although b reaches higher, for comparisons of overlapping balls are all False, so that
# `not (a <= b)` does not mean a > b; and the precision is state of the whole process: set in one thread, changed in all.
# Matters: an upper bound has to be taken from the ball's upper end, rounded outward, at a precision that is set around it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check python-flint==0.9.0
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import threading

from flint import arb, ctx

third, two_thirds = arb(1) / 3, arb(2) / 3
print(third.str(3, radius=False), two_thirds.str(3, radius=False))
assert third.str(3, radius=False) == "0.333" and two_thirds.str(3, radius=False) == "0.667"

wide = arb(1, 0.5)  # [0.5, 1.5]
assert float(wide) == 1.0

low, high = arb(1, 0.5), arb("1.2", 0.5)
print("a < b", low < high, "a >= b", low >= high, "a <= a", low <= low)
assert not low < high and not low >= high and not low <= low
assert max(low, high) is low and max(high, low) is high  # whichever comes first

ctx.prec = 53


def elsewhere():
    ctx.prec = 200


thread = threading.Thread(target=elsewhere)
thread.start()
thread.join()
print("precision after another thread set it:", ctx.prec)
assert ctx.prec == 200
PY
