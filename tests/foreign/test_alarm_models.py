"""An alarm model of AWS IoT Events over messages: imported, running, acknowledged, snoozed and disabled, also over kill -9."""

import json
import subprocess
import urllib.error
import urllib.request

import pytest
from conftest import ANDON, Andon
from peers import wait_for

MODEL = {
    "alarmModelName": "TooHot",
    "roleArn": "arn:aws:iam::1:role/events",
    "severity": 1,
    "key": "machine",
    "alarmRule": {
        "simpleRule": {"inputProperty": "$input.Press.sensor.temp", "comparisonOperator": "GREATER", "threshold": "80"}
    },
    "alarmEventActions": {"alarmActions": [{"sns": {"targetArn": "arn:aws:sns:eu-central-1:1:lead"}}]},
    "alarmCapabilities": {
        "acknowledgeFlow": {"enabled": True},
        "initializationConfiguration": {"disabledOnInitialization": False},
    },
}


@pytest.fixture
def start(tmp_path):
    (tmp_path / "alarm.json").write_text(json.dumps(MODEL))
    plant = tmp_path / "plant.yaml"
    imported = subprocess.run(
        [ANDON, "import", str(tmp_path / "alarm.json"), "--output", str(plant)], capture_output=True, text=True, timeout=60
    )
    assert plant.exists(), imported.stdout + imported.stderr
    plant.write_text(
        plant.read_text() + "\nnotify:\n  book: { file: alarms.jsonl }\ntargets:\n  'arn:aws:sns:eu-central-1:1:lead': book\n"
    )
    running = []

    def start():
        running.append(Andon(["run", str(plant), "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]).wait_ready())
        return running[-1]

    yield start
    for process in running:
        process.process.kill()
        process.process.wait()


def post(running, name, message):
    request = urllib.request.Request(
        f"{running.url}/api/inputs/{name}", data=json.dumps({"machine": "M-1"} | message).encode(),
        headers={"content-type": "application/json"},
    )
    assert urllib.request.urlopen(request, timeout=30).status == 204


def state(running):
    return running.get("/api/instances/TooHot?key=M-1")["instance"]["state"]


def listed(running, view="active"):
    """The alarm as lists of alarms show it; none where it is not among them."""
    alarms = [alarm for alarm in running.get(f"/api/alarms?view={view}") if alarm["detector"] == "TooHot"]
    assert all((alarm["path"], alarm["asset"], alarm["priority"]) == ("M-1", "", 1) for alarm in alarms), alarms
    return alarms[0] if alarms else None


def operate(running, verb, **body):
    """What a person does on the page or on the command line; the status of the answer."""
    request = urllib.request.Request(
        f"{running.url}/api/alarms/M-1/TooHot/{verb}", data=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    try:
        return urllib.request.urlopen(request, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code


def heat(running, temperature):
    post(running, "Press", {"sensor": {"temp": temperature}})
    return state(running)


def do(running, action, **more):
    post(running, "TooHot_alarm", {"action": action, "note": "by kim"} | more)
    return state(running)


def test_an_alarm_over_messages_lives_as_in_aws(start, tmp_path):
    running = start()
    assert heat(running, 70) == "NORMAL"
    assert heat(running, 90) == "ACTIVE"
    assert do(running, "ACKNOWLEDGE") == "ACKNOWLEDGED"
    assert heat(running, 91) == "ACKNOWLEDGED"
    assert heat(running, 70) == "NORMAL"
    assert (heat(running, 90), heat(running, 70)) == ("ACTIVE", "LATCHED")
    # What was acknowledged, latched or snoozed is so after a crash.
    running.process.kill()
    running.process.wait()
    running = start()
    assert state(running) == "LATCHED"
    assert do(running, "ACKNOWLEDGE") == "NORMAL"
    assert do(running, "SNOOZE", seconds=2) == "SNOOZE_DISABLED"
    assert heat(running, 99) in ("SNOOZE_DISABLED", "ACTIVE"), "a slow machine may have slept through it"
    wait_for("the end of the snooze", lambda: state(running) in ("NORMAL", "ACTIVE"), 60)
    assert heat(running, 99) == "ACTIVE"
    assert do(running, "RESET") == "NORMAL"
    assert do(running, "DISABLE") == "DISABLED"
    assert heat(running, 99) == "DISABLED"
    assert do(running, "ENABLE") == "NORMAL"
    assert heat(running, 99) == "ACTIVE"
    # Each change of state told the target that stands for the topic.
    moves = running.sql("SELECT to_state, rule FROM events WHERE kind = 'transition' AND detector = 'TooHot' AND asset = 'M-1' ORDER BY time")
    changes = len(moves) - 1
    book = tmp_path / "data/notifications/alarms.jsonl"
    wait_for("the notifications", lambda: len(book.read_text().splitlines()) >= 1, 60)
    sent = "SELECT count(*) FROM events WHERE kind = 'notification' AND body LIKE '%\"requested\"%'"
    wait_for(f"{changes} requests", lambda: running.sql(sent) == [[changes]], 60)


def test_an_alarm_over_messages_is_one_of_all_alarms(start):
    running = start()
    assert operate(running, "acknowledge") == 404, "there is no such key yet"
    assert heat(running, 70) == "NORMAL"
    assert (listed(running), operate(running, "acknowledge")) == (None, 409)
    assert heat(running, 90) == "ACTIVE"
    alarm = listed(running)
    assert (alarm["state"], alarm["message"], alarm["count_24h"]) == ("unacknowledged", "TooHot: Press.sensor.temp > 80", 1)
    assert operate(running, "acknowledge", note="valve closed") == 204
    acknowledged = listed(running)
    assert (acknowledged["state"], acknowledged["since"], state(running)) == ("acknowledged", alarm["since"], "ACKNOWLEDGED")
    assert acknowledged["acknowledged_by"] and acknowledged["acknowledged_at"]
    assert operate(running, "acknowledge") == 409, "it is acknowledged"
    # It is the same after a crash.
    running.process.kill()
    running.process.wait()
    running = start()
    assert listed(running)["state"] == "acknowledged"
    assert operate(running, "shelve", minutes=10, note="sensor is being changed") == 204
    shelved = listed(running, "shelved")
    assert listed(running) is None and shelved["shelved_until"], shelved
    assert (operate(running, "unshelve"), state(running)) == (204, "NORMAL")
    assert operate(running, "out-of-service", note="") == 409, "it needs a note"
    assert operate(running, "out-of-service", note="until the rebuild") == 204
    assert (listed(running, "out_of_service")["state"], state(running)) == ("out_of_service", "DISABLED")
    assert heat(running, 95) == "DISABLED"
    assert operate(running, "suppress", note="no such thing in IoT Events") == 409
    assert (operate(running, "return-to-service"), state(running)) == (204, "NORMAL")
    assert heat(running, 95) == "ACTIVE"
    assert (operate(running, "reset"), state(running), listed(running)) == (204, "NORMAL", None)
    verbs = running.sql("SELECT verb, actor IS NOT NULL FROM alarms WHERE asset = 'M-1' ORDER BY time")
    raised, person = ["raise", False], lambda verb: [verb, True]
    assert verbs == [
        raised, person("acknowledge"), person("shelve"), person("unshelve"), person("remove_from_service"),
        person("return_to_service"), raised, person("reset"),
    ]
    assert [alarm["state"] for alarm in running.get("/api/alarms?view=history")][:1] == ["normal"]
