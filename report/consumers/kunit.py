# Has the kernel's own KTAP parser read a report, and prints what it made of it.
#
#   kunit.py tools/testing/kunit <report
import inspect
import json
import sys

said = sys.stdout
sys.stdout = sys.stderr  # it prints what it reads
sys.path.insert(0, sys.argv[1])
import kunit_parser  # noqa: E402

args = [sys.stdin.read().splitlines()]
if len(inspect.signature(kunit_parser.parse_run_tests).parameters) > 1:
    from kunit_printer import Printer
    args.append(Printer())
top = kunit_parser.parse_run_tests(*args)


def tree(test):
    return {
        "name": test.name,
        "status": test.status.name,
        "errors": test.counts.errors,
        "expected": test.expected_count,
        "log": test.log,
        "tests": [tree(t) for t in test.subtests],
    }


json.dump(tree(top), said)
