"""The queries of the shared benchmark: asked of several servers in turn, compared, then measured."""

import http.client
import json
import math
import statistics
import time
import urllib.parse

import prepare

SHARED = prepare.shared_module("run_queries")
# How much CPU time the cheapest server should spend on a query in all, so that ticks resolve it.
ENOUGH_CPU = 0.5
FEWEST, MOST = 5, 300
# No query is repeated for longer than this, in seconds, unless the fewest repetitions take longer.
LONGEST = 30
# Answers of Stoa and Prometheus may differ by this, relative: the order of additions differs.
TOLERANCE = 1e-12
# External labels: a Prometheus does not put them on its own answers.
EXTERNAL = {"cluster", "replica"}


def lines(set_name, only):
    """The queries of a set: the shared ones and the further ones; those of native histograms where there are some."""
    hours = prepare.SETS[set_name][1]
    for folder in prepare.SHARED / "bench", prepare.HERE:
        for name, kind, span, step, expression in SHARED.load(folder / "queries.txt"):
            fits = SHARED.seconds(span) <= hours * 3600 and name.startswith("n") == (set_name == prepare.NATIVE)
            if fits and (not only or name.startswith(tuple(only))):
                yield name, kind, SHARED.seconds(span), 15 if step == "-" else SHARED.seconds(step), expression


def path_of(kind, span, step, expression, end):
    """The path of a call whose range ends at `end`."""
    if kind == "instant":
        path, parameters = "query", [("query", expression), ("time", end)]
    elif kind == "range":
        path = "query_range"
        parameters = [("query", expression), ("start", end - span), ("end", end), ("step", step)]
    else:
        path, _, given = expression.partition("?")
        parameters = urllib.parse.parse_qsl(given) + [("start", end - span), ("end", end)]
    return f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}"


class Client:
    """One kept connection to a server."""

    def __init__(self, server):
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=180)

    def get(self, path):
        """The milliseconds that a call took, and its body."""
        began = time.perf_counter()
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{self.server.name}: {answer.status}: {body[:300].decode(errors='replace')}")
        return took, body


def measure(servers, reference, subject, set_name, only):
    """A row a query: answers of `reference` and `subject` compared first, then each server measured,
    one request each in turn; every repetition begins and ends one step earlier."""
    clients = {server.name: Client(server) for server in servers}
    end = prepare.START + prepare.SETS[set_name][1] * 3600
    for name, kind, span, step, expression in lines(set_name, only):
        row = {"query": name, "servers": {}}

        def path(shift):
            return path_of(kind, span, step, expression, end - shift * step)

        # Failures are a line of the table: the other queries are measured all the same.
        try:
            bodies = {c: json.loads(clients[c].get(path(0))[1]) for c in clients}
        except (RuntimeError, OSError, ValueError) as e:
            row["failed"] = str(e)
            clients = {server.name: Client(server) for server in servers}
            yield row
            continue
        results = {c: SHARED.rows(body, EXTERNAL) for c, body in bodies.items()}
        row["series"] = len(results[reference])
        row["points"] = sum(len(points) for _, points in results[reference])
        row["checksum"] = SHARED.checksum(results[reference], 8)
        row["differs"] = SHARED.differs(results[subject], results[reference], TOLERANCE)

        once, cpu = {}, {}
        for c, client in clients.items():
            before = client.server.cpu_seconds()
            once[c] = statistics.median(client.get(path(shift))[0] for shift in range(1, 4)) / 1000
            cpu[c] = max((client.server.cpu_seconds() - before) / 3, 0.0005)
        wanted = math.ceil(ENOUGH_CPU / min(cpu.values()))
        repetitions = max(FEWEST, min(wanted, MOST, int(LONGEST / sum(once.values()))))
        row["repetitions"] = repetitions

        times = {c: [] for c in clients}
        spent = {c: 0.0 for c in clients}
        before = {c: client.server.cpu_seconds() for c, client in clients.items()}
        for repetition in range(repetitions):
            for c, client in clients.items():
                times[c].append(client.get(path(4 + repetition))[0])
        for c, client in clients.items():
            spent[c] = client.server.cpu_seconds() - before[c]
            row["servers"][c] = {
                "median_ms": statistics.median(times[c]),
                "min_ms": min(times[c]),
                "cpu_ms": spent[c] * 1000 / repetitions,
            }
        yield row
