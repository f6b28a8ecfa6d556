"""
Runs CPython's own tests and writes one line for each, its name and how it ended. Not by Debian's
regrtest, as that tells verdicts in between what the tests themselves write.

    verdicts.py FILE [-x PATTERN]... MODULE[.CLASS[.TEST]]...
"""
import faulthandler
import fnmatch
import sys
import unittest

from test import support

PATIENCE = 300  # seconds for one test


class Result(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out, self.worst = out, {}

    def startTest(self, test):
        super().startTest(test)
        faulthandler.dump_traceback_later(PATIENCE, exit=True)

    def stopTest(self, test):
        super().stopTest(test)
        faulthandler.cancel_dump_traceback_later()
        self.tell(test, self.worst.pop(test.id(), "ok"))

    def tell(self, test, verdict):
        print(test.id(), verdict, file=self.out, flush=True)

    def note(self, test, verdict, error):
        self.worst[test.id()] = verdict
        if error:
            print(f"{verdict}: {test.id()}\n{self._exc_info_to_string(error, test)}", flush=True)

    def addError(self, test, error):
        if isinstance(test, unittest.TestCase):
            self.note(test, "error", error)
        else:
            self.tell(test, "error")  # of a class or a module as a whole

    def addFailure(self, test, error):
        self.note(test, "failed", error)

    def addSkip(self, test, reason):
        if isinstance(test, unittest.TestCase):
            self.note(test, "skipped", None)
        else:
            self.tell(test, "skipped")

    def addExpectedFailure(self, test, error):
        self.note(test, "expected-failure", None)

    def addUnexpectedSuccess(self, test):
        self.note(test, "unexpected-success", None)

    def addSubTest(self, test, subtest, error):
        if error:
            self.note(test, "failed", error)


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def main(path, *words):
    excluded, names, words = [], [], list(words)
    while words:
        word = words.pop(0)
        if word == "-x":
            excluded.append(words.pop(0))
        else:
            names.append("test." + word)
    support.use_resources = []  # nothing outside this machine
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    suite = unittest.TestSuite(test for test in flatten(suite) if
                               not any(fnmatch.fnmatch(test.id(), one) for one in excluded))
    with open(path, "w", encoding="utf-8") as out:
        suite.run(Result(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
