"""scripts/count-tests counts right: it decides whether the whole run succeeds.

usage: count.py COUNT_TESTS
"""
import json
import subprocess
import sys
import tempfile

PASSING = {"result": "OK", "stdout": "Running suite(s): a\n100%: Checks: 7, Failures: 0, Errors: 0\n"}
FAILING = {"result": "FAIL", "stdout": "Running suite(s): a\n60%: Checks: 5, Failures: 1, Errors: 1\na.c:1:F:...\n"}
CASES = [
    ([], "0 0"),
    ([{"result": "OK"}], "1 0"),
    ([{"result": "EXPECTEDFAIL"}, {"result": "SKIP"}], "1 0"),
    ([{"result": "FAIL"}, {"result": "TIMEOUT"}, {"result": "UNEXPECTEDPASS"}, {"result": "ERROR"}], "0 4"),
    ([PASSING, {"result": "OK", "stdout": ""}], "8 0"),
    ([FAILING], "3 2"),
    # Ended badly after its checks had passed, or before it could say anything.
    ([{**PASSING, "result": "FAIL"}], "7 1"),
    ([{"result": "INTERRUPT", "stdout": "Running suite(s): a\n"}], "0 1"),
    # Failed checks count, whatever the exit status was.
    ([{**FAILING, "result": "OK"}], "3 2"),
]

for records, expected in CASES:
    with tempfile.NamedTemporaryFile("w") as log:
        log.write("".join(json.dumps(record) + "\n" for record in records))
        log.flush()
        found = subprocess.run([sys.argv[1], log.name], check=True, capture_output=True, text=True).stdout.strip()
    if found != expected:
        sys.exit(f"{records}: counted {found}, expected {expected}")
