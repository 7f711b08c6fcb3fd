"""Notifications against servers written by others: aiosmtpd, Python's http.server with a check of the signature, mosquitto."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import urllib.request

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from peers import Mosquitto, free_port, wait_for

ANDON = os.environ.get("ANDON_BIN") or str(pathlib.Path(__file__).parents[2] / "target/debug/andon")
SECRET = "whsec_" + base64.b64encode(b"a secret of the plant").decode()

PLANT = """
plant: Test
sources:
  broker: {{ mqtt: 'mqtt://127.0.0.1:{mqtt}', topic: 'plant/{{asset}}' }}
notify:
{notify}
models:
  machine:
    measurements:
      temp: {{ unit: °C }}
    detectors:
      hot:
        priority: high
        message: It has {{temp}}
        response: Close the valve.
        alarm: {{ notify: [{names}] }}
        initial: normal
        states:
          normal: {{ go: [ {{ when: temp > 80, to: hot }} ] }}
          hot: {{ enter: [raise], exit: [clear], go: [ {{ when: temp < 75, to: normal }} ] }}
assets:
  Filler 1: {{ model: machine }}
"""


class Mailbox:
    """An SMTP server that keeps what it takes and turns away the first few."""

    def __init__(self, turn_away=0, **options):
        self.mails = []
        self.turn_away = turn_away
        self.controller = Controller(self, hostname="127.0.0.1", port=free_port(), **options)
        self.controller.start()
        self.port = self.controller.port

    async def handle_DATA(self, server, session, envelope):
        if self.turn_away > 0:
            self.turn_away -= 1
            return "451 come back later"
        self.mails.append(envelope)
        return "250 taken"

    def close(self):
        self.controller.stop()


class Hook(http.server.BaseHTTPRequestHandler):
    """Verifies the signature of Standard Webhooks and keeps the bodies."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append((self.path, dict(self.headers), json.loads(body)))
        signature = self.headers.get("webhook-signature")
        status = self.server.status
        if signature is not None:
            signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
            expected = base64.b64encode(hmac.digest(base64.b64decode(SECRET[6:]), signed, hashlib.sha256)).decode()
            status = status if hmac.compare_digest(signature, f"v1,{expected}") else 401
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hook():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.bodies, server.status = [], 202
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture
def mailbox():
    box = Mailbox(turn_away=1)
    yield box
    box.close()


def write(running, value):
    lines = f"Filler\\ 1 temp={value}".encode()
    request = urllib.request.Request(running.url + "/api/write", data=lines, method="POST")
    assert urllib.request.urlopen(request, timeout=10).status in (200, 204)


def states(running, target):
    return [row[0] for row in running.sql(f"SELECT state FROM notifications WHERE target = '{target}' ORDER BY time")]


def plant(notify, mqtt=1883):
    names = ", ".join(line.split(":")[0].strip() for line in notify.strip().splitlines())
    return PLANT.format(notify=notify, names=names, mqtt=mqtt)


def test_mail_that_is_turned_away_arrives_later(andon, mailbox):
    target = f"  lead: {{ email: [lead@example.com, chief@example.com], server: 'smtp://127.0.0.1:{mailbox.port}', security: none, from: andon@example.com }}\n"
    running = andon(plant(target))
    write(running, 91.5)
    wait_for("the mail", lambda: mailbox.mails)
    envelope = mailbox.mails[0]
    assert envelope.mail_from == "andon@example.com"
    assert envelope.rcpt_tos == ["lead@example.com", "chief@example.com"]
    text = envelope.content.decode()
    assert "It has 91.5" in text and "Close the valve." in text and "Subject: [high] Filler 1" in text
    wait_for("the record", lambda: states(running, "lead") == ["requested", "retrying", "sent"])


def test_webhook_is_a_signed_cloud_event(andon, hook):
    target = f"  mes: {{ webhook: 'http://127.0.0.1:{hook.server_port}/mes', secret: {SECRET} }}\n"
    running = andon(plant(target))
    write(running, 91.5)
    wait_for("the record", lambda: "sent" in states(running, "mes"))
    path, headers, event = hook.bodies[0]
    assert (path, headers["content-type"]) == ("/mes", "application/cloudevents+json")
    assert (event["specversion"], event["type"], event["subject"]) == ("1.0", "andon.alarm.raise", "Filler 1/hot")
    assert event["data"]["text"] == "It has 91.5 °C" and event["data"]["priority"] == "high"


def test_a_wrong_secret_is_refused_for_good(andon, hook):
    target = f"  mes: {{ webhook: 'http://127.0.0.1:{hook.server_port}/', secret: wrong }}\n"
    running = andon(plant(target))
    write(running, 91.5)
    wait_for("the record", lambda: states(running, "mes") == ["requested", "failed"])
    assert len(hook.bodies) == 1
    assert "401" in running.sql("SELECT reason FROM notifications WHERE state = 'failed'")[0][0]


def test_teams_slack_and_pagerduty_get_their_forms(andon, hook):
    base = f"http://127.0.0.1:{hook.server_port}"
    targets = f"  t: {{ teams: '{base}/teams' }}\n  s: {{ slack: '{base}/slack' }}\n  p: {{ pagerduty: KEY, url: '{base}/pd' }}\n"
    running = andon(plant(targets))
    write(running, 91.5)
    wait_for("three messages", lambda: len(hook.bodies) >= 3)
    bodies = {path: body for path, _, body in hook.bodies}
    card = bodies["/teams"]["attachments"][0]["content"]
    assert card["type"] == "AdaptiveCard" and card["body"][1]["text"] == "It has 91.5 °C"
    assert bodies["/slack"]["blocks"][0]["type"] == "section"
    assert (bodies["/pd"]["event_action"], bodies["/pd"]["routing_key"]) == ("trigger", "KEY")
    write(running, 60)
    wait_for("the end", lambda: [b for path, _, b in hook.bodies if path == "/pd" and b["event_action"] == "resolve"])
    ends = [body for path, _, body in hook.bodies if path == "/pd"]
    assert ends[0]["dedup_key"] == ends[-1]["dedup_key"]


def test_mqtt_gets_the_event(andon, tmp_path):
    broker = Mosquitto(free_port(), tmp_path)
    broker.start()
    heard = subprocess.Popen(
        ["mosquitto_sub", "-p", str(broker.port), "-t", "andon/#", "-C", "1", "-v"], stdout=subprocess.PIPE, text=True
    ) if subprocess.run(["which", "mosquitto_sub"], capture_output=True).returncode == 0 else None
    try:
        running = andon(plant("  lamp: { mqtt: broker, topic: 'andon/{asset}/{detector}' }\n", broker.port))
        wait_for("the broker", lambda: running.get("/api/sources")[0]["state"] == "connected")
        write(running, 91.5)
        wait_for("the record", lambda: "sent" in states(running, "lamp"))
        if heard is not None:
            topic, payload = heard.communicate(timeout=20)[0].split(" {", 1)
            assert topic == "andon/Filler 1/hot" and json.loads("{" + payload)["data"]["text"] == "It has 91.5 °C"
    finally:
        if heard is not None:
            heard.kill()
        broker.close()


def test_a_dead_target_delays_nobody(andon, hook):
    # It takes connections and never answers. Each of these is waited for 10 s: one after the other, that is longer than we wait.
    dead = socket.create_server(("127.0.0.1", 0))
    targets = "".join(f"  dead{n}: {{ webhook: 'http://127.0.0.1:{dead.getsockname()[1]}/' }}\n" for n in range(10))
    running = andon(plant(targets + f"  mes: {{ webhook: 'http://127.0.0.1:{hook.server_port}/' }}\n"))
    write(running, 91.5)
    wait_for("the other", lambda: "sent" in states(running, "mes"), 60)
    for n in range(10):
        assert set(states(running, f"dead{n}")) <= {"requested", "retrying"}
    dead.close()


def test_tls_and_login(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"],
        check=True, capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    logins = []

    def authenticate(server, session, envelope, mechanism, data):
        logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"right")

    box = Mailbox(tls_context=context, authenticator=authenticate, auth_required=True)
    try:
        target = f"  lead: {{ email: lead@example.com, server: 'smtp://localhost:{box.port}', user: andon, password: $MAIL_PASSWORD, from: a@example.com }}\n"
        file = tmp_path / "plant.yaml"
        file.write_text(plant(target))

        def send(password, trusted=True):
            env = {**os.environ, "MAIL_PASSWORD": password}
            if trusted:
                env["SSL_CERT_FILE"] = str(certificate)
            return subprocess.run([ANDON, "notify", "test", "lead", "--plant", file], env=env, capture_output=True, text=True, timeout=60)

        took = send("right")
        assert took.returncode == 0, took.stderr
        assert "lead took the message" in took.stdout and logins == [(b"andon", b"right")] and len(box.mails) == 1
        refused = send("hunter2")
        assert refused.returncode == 1 and "hunter2" not in refused.stderr + refused.stdout, refused.stderr
        stranger = send("right", trusted=False)
        assert stranger.returncode == 1 and len(box.mails) == 1, stranger.stderr
    finally:
        box.close()
