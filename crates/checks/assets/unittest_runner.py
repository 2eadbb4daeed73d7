"""Runs `python -m unittest` as it is and notes how each test ended, one JSON object a line.

Python's own runner prints its results on standard error, mixed with whatever the tests print; a result class
hears of them from the runner itself.
"""

import json
import os
import sys
import tempfile
import unittest


def parts(test):
    """File or module, class, method: the parts of a test's full name."""
    method = getattr(test, "_testMethodName", None)
    if method is None:
        return [test.id()]
    kind = type(test)
    if kind.__module__ == "unittest.loader":
        # A module that cannot be imported: the loader makes a test of that name that fails.
        return [method]
    place = kind.__module__
    file = getattr(sys.modules.get(place), "__file__", None)
    if file:
        relative = os.path.relpath(file)
        if not relative.startswith(os.pardir):
            place = relative
    return [place, *kind.__qualname__.split("."), method]


class Notes:
    """The file of one run's results."""

    def __init__(self):
        folder = os.path.join(os.environ["OVERNIGHT_EVIDENCE"], "reports")
        descriptor, _ = tempfile.mkstemp(prefix="events.", dir=folder)
        self.file = os.fdopen(descriptor, "w", encoding="utf-8")
        self.owner = os.getpid()

    def write(self, **line):
        if os.getpid() != self.owner:
            return  # A child that a test forked: its results are not the run's.
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()


class Result(unittest.TextTestResult):
    """Prints what it always prints, and notes it."""

    notes = None

    def note(self, test, status):
        Result.notes.write(name=parts(test), status=status)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.note(test, "passed")

    def addError(self, test, err):
        super().addError(test, err)
        self.note(test, "failed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note(test, "failed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.note(getattr(test, "test_case", test), "skipped")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.note(test, "skipped")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.note(test, "failed")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, "failed")


class Runner(unittest.TextTestRunner):
    """The runner that `unittest.main` makes for itself, with the noting result."""

    resultclass = Result

    def run(self, test):
        outcome = super().run(test)
        Result.notes.write(end=True)
        return outcome


if __name__ == "__main__":
    # `python -m unittest` has the working directory first on its path, and not this file's folder.
    here = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.abspath(sys.path[0]) == here:
        del sys.path[0]
    sys.path.insert(0, os.getcwd())
    Result.notes = Notes()
    command = os.path.basename(sys.executable or "python") + " -m unittest"
    sys.argv[0] = command
    unittest.main(module=None, argv=[command] + sys.argv[1:], testRunner=Runner)
