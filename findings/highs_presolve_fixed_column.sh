#!/bin/sh
# scipy 1.17.1 (milp, solved by the HiGHS that it ships): with presolve, the answer of an integer
# program is called optimal and is not, where a continuous variable that its bounds fix at 0 has a
# coefficient in a row of large numbers. Without presolve, or with 0 as that coefficient, the answer
# is right. Minimise a1 + 2 b0 with a0 + a1 = 2, b0 + b1 = 1, c0 = 1 and 990099 a1 + b0 + e >= 990099.990098,
# e fixed at 0: a1 = 2 costs 2, but a1 = b0 = 1 is returned, which costs 3 (a gap of 0 is claimed).
# Found by a property test of `dualcost fit` against brute force. dualcost solves without presolve first.
# Seen (scipy 1.17.1, numpy 2.4.6, Linux x86-64): presolve 3.0 dual bound 3.0; no presolve 2.0.
# Exits with 1 if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

costs = np.array([0, 1, 2, 0, 0, 0.0])  # a0 a1 b0 b1 c0 e
one_of_each = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 0.0]])
large = np.array([[0, 990099, 1, 0, 0, 1.0]])
best = {}
for presolve in (True, False):
    found = milp(
        costs,
        integrality=np.array([1, 1, 1, 1, 1, 0]),
        bounds=Bounds(0, np.array([2, 2, 1, 1, 1, 0.0])),
        constraints=[
            LinearConstraint(one_of_each, [2, 1, 1], [2, 1, 1]),
            LinearConstraint(large, 990100 - 0.009902, np.inf),
        ],
        options={"presolve": presolve, "mip_rel_gap": 0.0, "node_limit": 100000},
    )
    best[presolve] = found.fun
    print("presolve" if presolve else "no presolve", found.fun, "dual bound", found.mip_dual_bound)
sys.exit(best != {True: 3.0, False: 2.0})
PYTHON
