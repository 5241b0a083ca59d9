#!/usr/bin/env python3
"""Whether a real Home Assistant understands what the speaker says of itself; see README.md."""

import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HASS = shlex.split(os.environ.get("HASS", "hass"))
HARK = shlex.split(os.environ.get("HARK", "hark"))
WORK = pathlib.Path(os.environ.get("WORK") or tempfile.mkdtemp(prefix="hark-hass-"))
ROOM = "living-room"
ID = "hark_living_room"
ECHO = "the echo test"
START_S, ACT_S, METRICS_S = 600, 15, 50
BLUEPRINTS = pathlib.Path(__file__).parents[3] / "configs/homeassistant"
# An automation of each of our blueprints, with switches of Home Assistant's own in the place of lamps and sensors.
AUTOMATIONS = f"""http:
  server_host: 127.0.0.1
  server_port: PORT
api:
config:
onboarding:
input_boolean: {{tv_muted: {{}}, lamp: {{}}, missed_lamp: {{}}, washing: {{}}}}
input_select: {{mom: {{options: [Kitchen, Garden]}}}}
media_player:
  - platform: universal
    name: tv
    state_template: "on"
    attributes: {{is_volume_muted: input_boolean.tv_muted}}
    commands: {{volume_mute: {{action: input_boolean.toggle, target: {{entity_id: input_boolean.tv_muted}}}}}}
automation:
  - {{id: a, alias: ring light, use_blueprint: {{path: hark/ring_light.yaml, input: {{ringing: binary_sensor.{ID}_in_call, light: input_boolean.lamp}}}}}}
  - {{id: b, alias: missed light, use_blueprint: {{path: hark/missed_call_light.yaml, input: {{waiting: binary_sensor.{ID}_waiting, light: input_boolean.missed_lamp}}}}}}
  - {{id: c, alias: mute, use_blueprint: {{path: hark/mute_media_in_calls.yaml, input: {{call: sensor.{ID}_call, player: media_player.tv}}}}}}
  - id: d
    alias: washing
    use_blueprint:
      path: hark/announce.yaml
      input: {{notifier: notify.{ID}_announce, entity: input_boolean.washing, state: "off", text: the washing is done}}
  - {{id: e, alias: presence, use_blueprint: {{path: hark/presence.yaml, input: {{sensor: input_select.mom, topic: hark-test/mom/room}}}}}}
"""

failures = []
children = []


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


MQTT_PORT, HTTP_PORT = free_port(), free_port()
URL = f"http://127.0.0.1:{HTTP_PORT}"


def start(name, command):
    log = open(WORK / f"{name}.log", "w")
    child = subprocess.Popen(command, stdout=log, stderr=log)
    children.append(child)
    return child


def stop(child):
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()


def until(what, find, within=ACT_S):
    """Waits until `find` finds something, and tells how that went."""
    end = time.monotonic() + within
    found = None
    while time.monotonic() < end:
        try:
            found = find()
        except (urllib.error.URLError, ConnectionError, TimeoutError, KeyError):
            found = None
        if found:
            print(f"ok      {what}")
            return found
        time.sleep(0.2)
    print(f"FAILED  {what}")
    failures.append(what)
    return None


class HomeAssistant:
    def __init__(self):
        self.token = None

    def ask(self, path, body=None, form=False):
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = None
        if body is not None:
            data = urllib.parse.urlencode(body).encode() if form else json.dumps(body).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded" if form else "application/json"
        request = urllib.request.Request(URL + path, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def log_in(self):
        """The first user, as the page that greets a new owner makes him."""
        user = {"client_id": URL + "/", "name": "Test", "username": "test", "password": "only-here", "language": "en"}
        code = self.ask("/api/onboarding/users", user)["auth_code"]
        grant = {"client_id": URL + "/", "grant_type": "authorization_code", "code": code}
        self.token = self.ask("/auth/token", grant, form=True)["access_token"]

    def add_mqtt(self):
        flow = self.ask("/api/config/config_entries/flow", {"handler": "mqtt"})
        while flow["type"] == "menu":
            flow = self.ask(f"/api/config/config_entries/flow/{flow['flow_id']}", {"next_step_id": "broker"})
        flow = self.ask(f"/api/config/config_entries/flow/{flow['flow_id']}", {"broker": "127.0.0.1", "port": MQTT_PORT})
        return flow["type"] == "create_entry"

    def state(self, entity):
        return self.ask(f"/api/states/{entity}")

    def is_(self, entity, state):
        return lambda: self.state(entity)["state"] == state

    def do(self, service, entity, **data):
        domain, name = service.split(".")
        self.ask(f"/api/services/{domain}/{name}", {"entity_id": entity, **data})

    def template(self, text):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(URL + "/api/template", data=json.dumps({"template": text}).encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()


class Requests:
    """What is asked of the speaker, as everybody else on the broker sees it."""

    def __init__(self):
        self.path = WORK / "requests.log"
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(MQTT_PORT), "-t", f"hark/{ROOM}/do/#", "-v"]
        children.append(subprocess.Popen(command, stdout=open(self.path, "w")))

    def has(self, verb, body):
        line = f"hark/{ROOM}/do/{verb} {body}"
        return lambda: any(it == line for it in self.path.read_text().splitlines())


def retained(topic):
    command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(MQTT_PORT), "-t", topic, "-C", "1", "-W", "5"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def publish(topic, payload):
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(MQTT_PORT), "-t", topic, "-m", payload], check=True)


def speaker():
    (WORK / "hark.yaml").write_text(
        f"""room: Living room
mqtt: {{broker: "mqtt://127.0.0.1:{MQTT_PORT}", room: {ROOM}}}
sip: {{listen: off}}
audio: {{host: alsa}}
house: {{multicast: off, mdns: false, listen: "127.0.0.1:0"}}
contacts: contacts.yaml
state_dir: state
socket: hark.sock
"""
    )
    (WORK / "contacts.yaml").write_text('contacts: [{name: "Mom", addresses: "sip:mom@127.0.0.1"}]\n')
    return start("hark", [*HARK, "--config", str(WORK / "hark.yaml"), "run"])


def check(hass, requests):
    described = json.loads(retained(f"homeassistant/device/hark_{ROOM}/config"))["cmps"]
    print(f"        {len(described)} entities are described")
    ids = [it["default_entity_id"] for it in described.values()]
    until("all entities are there", lambda: all(hass.state(it) for it in ids), 30)
    # A button was never pressed and an event never seen at first; figures come each 30 s.
    silent = ("button.", "event.", "notify.", "text.", "select.")

    def known(entity):
        return entity.startswith(silent) or hass.state(entity)["state"] not in ("unknown", "unavailable")

    diagnostics = [it["default_entity_id"] for it in described.values() if it.get("entity_category") == "diagnostic"]
    for entity in ids:
        if entity not in diagnostics:
            until(f"{entity} shows something", lambda entity=entity: known(entity))
    area = hass.template(f"{{{{ area_name('sensor.{ID}_call') }}}} / {{{{ device_attr('sensor.{ID}_call', 'name') }}}}")
    until(f"the device is suggested for its room: {area}", lambda: area.lower() == "living room / hark living room")

    hass.do("text.set_value", f"text.{ID}_dial", value="echo test")
    until("a text calls", requests.has("dial", "echo test"))
    until("the call is connected", hass.is_(f"sensor.{ID}_call", "connected"))
    until("the caller has a name", hass.is_(f"sensor.{ID}_caller", ECHO))
    until("the list shows with whom", hass.is_(f"select.{ID}_contact", ECHO))
    until("in a call", hass.is_(f"binary_sensor.{ID}_in_call", "on"))
    hass.do("switch.turn_on", f"switch.{ID}_mute")
    until("a switch mutes", hass.is_(f"switch.{ID}_mute", "on"))
    hass.do("button.press", f"button.{ID}_hold")
    until("a button holds", hass.is_(f"sensor.{ID}_call", "held"))
    hass.do("button.press", f"button.{ID}_hangup")
    until("a button hangs up", hass.is_(f"sensor.{ID}_call", "idle"))
    until("the list shows nobody", hass.is_(f"select.{ID}_contact", "unknown"))
    until("the event says so", lambda: hass.state(f"event.{ID}_event")["attributes"]["event_type"] == "ended")
    hass.do("select.select_option", f"select.{ID}_contact", option=ECHO)
    until("a list calls", requests.has("dial", f'{{"to": "{ECHO}" }}'))
    until("the call is connected again", hass.is_(f"sensor.{ID}_call", "connected"))
    hass.do("button.press", f"button.{ID}_hangup")
    until("and over again", hass.is_(f"sensor.{ID}_call", "idle"))
    hass.do("number.set_value", f"number.{ID}_volume_ring", value=35)
    until("a number sets a volume", hass.is_(f"number.{ID}_volume_ring", "35"))
    hass.do("switch.turn_on", f"switch.{ID}_dnd")
    until("a switch forbids to disturb", hass.is_(f"switch.{ID}_dnd", "on"))
    hass.do("switch.turn_off", f"switch.{ID}_dnd")
    until("and allows it", hass.is_(f"switch.{ID}_dnd", "off"))
    hass.do("notify.send_message", f"notify.{ID}_say", message='dinner "is" ready')
    until("a notifier speaks", requests.has("say", '{"text": "dinner \\"is\\" ready" }'))
    hass.do("notify.send_message", f"notify.{ID}_announce_urgent", message="fire")
    until("a notifier announces", requests.has("announce", '{"urgent": true, "text": "fire" }'))
    hass.do("text.set_value", f"text.{ID}_announce_text", value="dinner")
    until("a text announces", requests.has("announce", "dinner"))
    for verb in ["answer", "decline", "resume", "redial", "takeback", "clear"]:
        hass.do("button.press", f"button.{ID}_{verb}")
        until(f"a button asks for {verb}", requests.has(verb, "{}"))
    # Of the echo canceller and of packets nothing is known without a call.
    for entity in diagnostics:
        if not any(it in entity for it in ("erle", "stream_delay", "jitter", "loss", "dbfs")):
            until(f"{entity} is known", lambda entity=entity: known(entity), METRICS_S)


def check_blueprints(hass, requests):
    for name in ["ring_light", "missed_light", "mute", "washing", "presence"]:
        until(f"the automation {name} of its blueprint is in force", hass.is_(f"automation.{name}", "on"))
    hass.do("text.set_value", f"text.{ID}_dial", value="echo test")
    until("the light of a call goes on", hass.is_("input_boolean.lamp", "on"))
    until("the television is muted", hass.is_("input_boolean.tv_muted", "on"))
    hass.do("button.press", f"button.{ID}_hangup")
    until("and is as it was", hass.is_("input_boolean.lamp", "off"))
    until("and the television too", hass.is_("input_boolean.tv_muted", "off"))
    hass.do("input_boolean.turn_on", "input_boolean.washing")
    hass.do("input_boolean.turn_off", "input_boolean.washing")
    until("what has happened is announced", requests.has("announce", '{"text": "the washing is done" }'))
    waiting = {"missed": [], "calls": 1, "announcements": 0}
    publish(f"hark/{ROOM}/waiting", json.dumps(waiting))
    until("the light of missed calls goes on", hass.is_("input_boolean.missed_lamp", "on"))
    publish(f"hark/{ROOM}/waiting", json.dumps({**waiting, "calls": 0}))
    until("and off", hass.is_("input_boolean.missed_lamp", "off"))
    hass.do("input_select.select_option", "input_select.mom", option="Garden")
    until("where somebody is is told", lambda: retained("hark-test/mom/room") == "Garden")


def main():
    config = WORK / "config"
    (config / "blueprints/automation/hark").mkdir(parents=True)
    for blueprint in BLUEPRINTS.glob("*.yaml"):
        (config / "blueprints/automation/hark" / blueprint.name).write_text(blueprint.read_text())
    (config / "configuration.yaml").write_text(AUTOMATIONS.replace("PORT", str(HTTP_PORT)))
    start("mosquitto", ["mosquitto", "-p", str(MQTT_PORT), "-v"])
    time.sleep(1)
    requests = Requests()
    hark = speaker()
    start("hass", [*HASS, "--config", str(config)])
    hass = HomeAssistant()
    if not until("Home Assistant starts", lambda: hass.ask("/api/onboarding"), START_S):
        return
    hass.log_in()
    if not until("the MQTT integration is added", hass.add_mqtt, START_S):
        return
    if not until("the device appears", lambda: hass.state(f"sensor.{ID}_call"), 60):
        return
    check(hass, requests)
    check_blueprints(hass, requests)
    stop(hark)
    until("a speaker that stops is unavailable", hass.is_(f"sensor.{ID}_call", "unavailable"))
    hark = speaker()
    until("and comes back", hass.is_(f"sensor.{ID}_call", "idle"), 30)
    hark.kill()
    until("a speaker that dies is unavailable", hass.is_(f"sensor.{ID}_call", "unavailable"), 60)
    complaints = [it for it in (WORK / "hass.log").read_text().splitlines() if ("ERROR" in it or "WARNING" in it) and "components.mqtt" in it]
    until(f"Home Assistant has nothing to complain about: {complaints}", lambda: not complaints, 1)


if __name__ == "__main__":
    try:
        main()
    finally:
        for child in reversed(children):
            stop(child)
    print(f"{len(failures)} of it failed; logs are in {WORK}" if failures else "all of it is right")
    sys.exit(bool(failures))
