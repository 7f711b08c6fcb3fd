"""Back-tests over HTTP beside a running plant: one that is ended by DELETE ends, and the plant goes on."""

import json
import time
import urllib.error
import urllib.request

from peers import wait_for

PLANT = """
plant: { name: Test, timezone: UTC }
models:
  machine:
    measurements:
      temp: { unit: °C }
    detectors:
      hot:
        message: It has {temp}
        response: Close the valve.
        initial: normal
        states:
          normal: { go: [ { when: temp > 80, to: hot } ] }
          hot: { enter: [raise], exit: [clear], go: [ { when: temp < 75, to: normal } ] }
assets:
  M: { model: machine }
"""
POINTS, AT_ONCE = 300_000, 10_000
# Runs in which the back-test may be through before it is told to end.
ATTEMPTS = 5


def ask(method, url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text else None


def test_a_back_test_is_ended_while_it_runs(andon):
    running = andon(PLANT)
    first = int(time.time()) - POINTS
    for begin in range(0, POINTS, AT_ONCE):
        lines = "\n".join(f"M temp={70 + (n // 50) % 20} {first + n}" for n in range(begin, begin + AT_ONCE))
        request = urllib.request.Request(running.url + "/api/write?precision=s", data=lines.encode(), method="POST")
        assert urllib.request.urlopen(request, timeout=60).status in (200, 204)
    wait_for("the points", lambda: running.sql("SELECT count(*) FROM samples WHERE property = 'temp'") == [[POINTS]], 120)
    times = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (first - 1, first + POINTS)]
    order = {"detector": "machine.hot", "from": times[0], "to": times[1]}
    address = running.url + "/api/backtests"

    def run(end):
        status, begun = ask("POST", address, order)
        assert status in (200, 201, 202), (status, begun)
        one = f"{address}/{begun['id']}"
        if end:
            # A second one waits for the first, by its name.
            status, refused = ask("POST", address, order)
            if status == 409:
                assert refused["running"] == begun["id"], refused
            assert ask("DELETE", one)[0] == 204
        state = wait_for("its end", lambda: (view := ask("GET", one))[0] == 200 and view[1]["state"] != "running" and view[1], 300)
        return one, state

    for _ in range(ATTEMPTS):
        one, view = run(end=True)
        if view["state"] == "cancelled":
            break
        assert view["state"] == "done", view
    assert view["state"] == "cancelled", "every back-test was through before it could be ended"
    assert view["progress"] < 1 and view["sides"][0]["samples"] < POINTS, view
    # It is forgotten when it is deleted again; and the next one has the room.
    assert ask("DELETE", one)[0] == 204
    assert ask("GET", one)[0] == 404
    _, view = run(end=False)
    assert view["state"] == "done" and view["sides"][0]["samples"] == POINTS, view
    # The plant itself has moved nothing by that.
    assert running.sql("SELECT count(*) FROM commands") == [[0]]
    assert urllib.request.urlopen(running.url + "/readyz", timeout=10).status == 200
