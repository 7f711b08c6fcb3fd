"""The chain of who did what, checked by hashlib alone: what anybody can do without Andon."""

import hashlib
import json
import os
import subprocess
import urllib.request

import pytest
from conftest import ANDON
from peers import wait_for

PLANT = """
plant: { name: Audit, timezone: UTC }
models:
  press: { attributes: { limit: 80 }, measurements: { temp: } }
assets:
  Press 1: { model: press }
"""


def check(folder):
    """Records of a chain and its last hash, or an AssertionError that names the record."""
    previous, records, torn = "0" * 64, [], None
    for path in sorted((folder / "audit").glob("*.jsonl")):
        for line in path.read_bytes().splitlines(keepends=True):
            content, _, tail = line.rpartition(b',"hash":"')
            digest = hashlib.sha256(content + b"}").hexdigest()
            if tail != digest.encode() + b'"}\n':
                assert torn is None, f"record {len(records) + 1}"
                torn = line.rstrip(b"\n")
                continue
            record = json.loads(line)
            if torn is not None:
                owned = f"{len(torn)} bytes with the SHA-256 {hashlib.sha256(torn).hexdigest()}"
                assert record["verb"] == "torn_line" and owned in record["detail"], f"record {len(records) + 1}"
                torn = None
            assert (record["record"], record["previous"]) == (len(records) + 1, previous), f"record {len(records) + 1}"
            assert record["hash"] == digest
            previous = digest
            records.append(record)
    return records, previous


def verify(folder):
    return subprocess.run([ANDON, "audit", "verify", "--data", str(folder)], capture_output=True, text=True, timeout=60)


def note(running, text):
    request = urllib.request.Request(
        running.url + "/api/lines/Press%201/notes",
        data=json.dumps({"text": text, "name": "Zoë \"Z\""}).encode(),
        headers={"content-type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=30).close()


def test_hashlib_finds_the_same_chain(andon, tmp_path):
    data = tmp_path / "data"
    running = andon(PLANT)
    texts = ["plain", "ünï \"quoted\"\nnext line\\", "," + '"hash":"' + "0" * 64 + '"}', "a\x01\u2028b"]
    for text in texts:
        note(running, text)
    records, head = check(data)
    assert [record["detail"] for record in records if record["verb"] == "note"] == texts
    assert {record["by"] for record in records if record["verb"] == "note"} == {'Zoë "Z" (local engineer)'}
    assert json.loads((data / "audit/head").read_text())["hash"] == head
    state = wait_for("the chain being verified", lambda: (lambda s: s["verified_records"] == s["records"] and s)(running.get("/api/audit/state")), 60)
    assert (state["records"], state["head"], state["first_bad"]) == (len(records), head, None)
    told = verify(data)
    assert told.returncode == 0 and head in told.stdout, told.stdout + told.stderr


def test_a_kill_and_a_torn_line_leave_a_chain_that_hashlib_follows(andon, tmp_path):
    data = tmp_path / "data"
    running = andon(PLANT)
    note(running, "before")
    running.process.kill()
    running.process.wait()
    path = max((data / "audit").glob("*.jsonl"))
    with path.open("ab") as file:
        file.write(b'{"record":4,"time":"2026-')
    again = andon(PLANT)
    note(again, "after")
    records, _ = check(data)
    assert [record["verb"] for record in records] == ["start", "arm", "note", "torn_line", "start", "arm", "note"]


@pytest.mark.parametrize("how", ["byte", "remove", "insert", "swap", "cut"])
def test_both_name_the_same_bad_record(andon, tmp_path, how):
    data = tmp_path / "data"
    running = andon(PLANT)
    for number in range(5):
        note(running, f"note {number}")
    running.stop()
    records, _ = check(data)
    path = max((data / "audit").glob("*.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    if how == "byte":
        lines[3] = lines[3].replace(b"note 1", b"note 7")
    elif how == "remove":
        del lines[3]
    elif how == "insert":
        lines.insert(3, lines[1])
    elif how == "swap":
        lines[3], lines[4] = lines[4], lines[3]
    else:
        lines = lines[:3]
    path.write_bytes(b"".join(lines))
    os.sync()
    told = verify(data)
    assert told.returncode == 1 and "at record 4 (" in told.stdout, told.stdout + told.stderr
    if how == "cut":
        # Lines alone cannot tell; the head can.
        assert len(check(data)[0]) == 3 < json.loads((data / "audit/head").read_text())["record"] == len(records)
    else:
        with pytest.raises(AssertionError, match="record 4"):
            check(data)
