"""Asks a machine everything that changes nothing, through PyPI's `varlink`.

Usage: client.py unix:SOCKET CONTAINER
CONTAINER is one that runs and has written something. Ends with a line `ok` when all is as promised.
"""

import base64
import sys

import varlink

STATES = "waiting starting running stopping backoff exited failed stuck invalid".split()
FIELDS = """name wanted state ready health pid restarts cause image started_at next_start
exit_code uptime_ms paused listens""".split()


def refused(call, error):
    """The parameters with which a call is refused."""
    try:
        call()
    except varlink.VarlinkError as found:
        assert found.error() == error, found
        return found.parameters()
    raise AssertionError(f"not refused with {error}")


def main(address, name):
    with varlink.Client(address) as client:
        info = client.get_interfaces()
        assert {"org.varlink.service", "org.orlop.Control"} <= set(info), info
        with client.open("org.orlop.Control") as machine:
            look(machine, name)
            logs(machine, name)
            mistakes(machine)
        # A connection of its own, because the library breaks this one off to make the mistake.
        with client.open("org.orlop.Control") as machine:
            assert refused(lambda: machine.Logs([name]), "org.varlink.service.ExpectedMore") in ({}, None)
    print("ok")


def look(machine, name):
    containers = machine.List()["containers"]
    (ours,) = [one for one in containers if one["name"] == name]
    for one in containers:
        # This client leaves out what is null.
        assert set(one) <= set(FIELDS) and {"name", "wanted", "state", "ready"} <= set(one), one
        assert one["state"] in STATES, one
    assert ours["state"] == "running" and ours["wanted"] == "up" and ours["pid"] > 0, ours
    status = machine.Status(name)
    assert status["container"]["pid"] == ours["pid"], status
    assert isinstance(status["details"]["command"], list), status
    version = machine.Version()
    assert version["version"] and version["uptime_ms"] > 0 and not version["safe"], version
    boot = machine.Boot()
    starts = [phase["start_us"] for phase in boot["phases"]]
    assert starts == sorted(starts) and all(phase["name"] for phase in boot["phases"]), boot


def logs(machine, name):
    entries = []
    for reply in machine.Logs([name], lines=100, follow=False, _more=True):
        entries += reply["entries"]
    assert entries, "no output"
    for one in entries:
        assert one["name"] == name and one.get("stream") in ("stdout", "stderr", None), one
        assert one["time"].endswith("Z") and one["boot_us"] > 0, one
        if one.get("data") is not None:
            base64.b64decode(one["data"], validate=True)


def mistakes(machine):
    unknown = refused(lambda: machine.Status("no-such-container"), "org.orlop.Control.UnknownContainer")
    assert unknown["name"] == "no-such-container", unknown
    wrong = refused(lambda: machine.Kill("no-such-container", "NOSIG"), "org.varlink.service.InvalidParameter")
    assert wrong["parameter"] == "signal", wrong
    wrong = refused(lambda: machine.Power("explode"), "org.varlink.service.InvalidParameter")
    assert wrong["parameter"] == "action", wrong


main(*sys.argv[1:])
