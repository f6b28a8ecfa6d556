"""
The cases of test_attach.py and test_attach_kill.py with the agent inside the attached programs: it comes,
records, and goes while they work; most calls are made without a stop.
"""
import attach
import lib
import test_attach
import test_attach_kill
from lib import expect

attach.OPTIONS = ["--engine", "tap", "-v"]
if not lib.LARGE:
    test_attach.CYCLES = 4


def count_calls(self, layer="plain"):
    """As before; what was a stop each is counted."""
    capture = lib.oracle.Capture(self.path, layer, attached=True)
    COUNTS.append(capture.events[-1])
    return CAPTURE(self, layer)


CAPTURE, COUNTS = attach.Attached.capture, []
attach.Attached.capture = count_calls


def named(name):
    """Skips where the machine has no tap."""
    def wrap(case):
        def run(test):
            if not lib.has_tap():
                raise lib.Skip("no tap on this machine")
            case(test)
        run.__name__ = name
        return run
    return wrap


def tapped(case):
    """The case, and then what was not the first call on a descriptor was recorded inside."""
    @named(case.__name__)
    def run(test):
        COUNTS.clear()
        case(test)
        calls = {way: sum(end["calls"][way] for end in COUNTS) for way in ("tap", "stop")}
        print(f"{case.__name__}: calls {calls}")
        expect(2 * calls["tap"] > calls["stop"], f"by the tap and by stops: {calls}")
    return run


lib.main(*map(tapped, [test_attach.nginx, test_attach.redis, test_attach.go, test_attach.go_linked,
                       test_attach.node, test_attach.asyncio, test_attach.storm]),
         *[named(case.__name__)(case) for case in (
             *[test_attach.postgres] * lib.LARGE, test_attach.stopped, test_attach.forks,
             test_attach.blocks, test_attach.threads)],
         *[named(f"killed_{case.__name__}")(case) for case in (
             test_attach_kill.nginx, test_attach_kill.redis, test_attach_kill.go,
             test_attach_kill.node, test_attach_kill.asyncio, test_attach_kill.storm,
             test_attach_kill.late_guardian, test_attach_kill.children)])
