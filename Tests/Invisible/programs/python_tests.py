"""python_tests MODULE [LEFT OUT...]: CPython's own tests of a module; prints what came of each, in the order of their names."""

import sys
import unittest
from test import support

support.verbose = False
module, *left_out = sys.argv[1:]
outcomes = {}


class Result(unittest.TestResult):
    def stopTest(self, test):
        super().stopTest(test)
        outcomes.setdefault(test.id(), "ok")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        outcomes[test.id()] = "skipped"

    def addFailure(self, test, error):
        super().addFailure(test, error)
        outcomes[test.id()] = "failed: " + str(error[1]).strip()[-300:].replace("\n", " | ")

    def addError(self, test, error):
        super().addError(test, error)
        outcomes[test.id()] = "error: " + str(error[1]).strip()[-300:].replace("\n", " | ")


def chosen(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test)
        elif not any(name in test.id() for name in left_out):
            yield test


unittest.TestSuite(chosen(unittest.defaultTestLoader.loadTestsFromName("test." + module))).run(Result())
for name in sorted(outcomes):
    print(outcomes[name].split(":")[0], name)
for name in sorted(outcomes):
    if outcomes[name][:5] in ("faile", "error"):
        print(name, outcomes[name], file=sys.stderr)
