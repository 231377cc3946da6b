"""Holds the console's REST API to its own OpenAPI description: schemathesis against a running `deskstream demo`.

console.py DESKSTREAM SCHEMATHESIS: the binary to start, and the tool to run. Nobody, a viewer and an operator within a
tenant call every route; those that end the session they are called with, by a session of their own each. Live numbers
(overview/stream) have no end, and are for the browser's test. A run in which a route only refused shows nothing: the
operator's must have a success of each but those of NO_SUCCESS.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

TENANT = "acme"
PASSWORD = "correct horse battery staple"
OPERATOR = "olga@desk.example"
VIEWER = "vera@acme.example"
CONFIG = pathlib.Path(__file__).with_name("console.toml")
STARTS_WITHIN = 180
TICKETS_WITHIN = 60

STREAM = r"/overview/stream$"
ENDS_SESSIONS = ("/api/v1/auth/tenant", "/api/v1/me/password", "/api/v1/me/sessions/{id}")

# What schemathesis can't succeed with: it has neither the bootstrap token, nor a password, nor a cookie.
NO_SUCCESS = {
    "POST /api/v1/auth/bootstrap",
    "POST /api/v1/auth/sign-in",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/sign-out",
}


def fail(why):
    sys.exit(f"make test-contract: the console: {why}")


class Demo:
    """A demo of its own, on a free port, that ends with the `with`."""

    def __init__(self, binary, folder):
        settings = {
            # The run is one caller, and not slowed down.
            "DESKSTREAM_CONSOLE__REQUESTS_PER_MINUTE": "1000000",
            "DESKSTREAM_CONSOLE__ANONYMOUS_PER_MINUTE": "1000000",
        }
        self.process = subprocess.Popen(
            [binary, "demo", "--console-port", "0", "--data", str(folder / "demo"), "--rate", "2"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | settings,
            start_new_session=True,
        )

    def __enter__(self):
        try:
            return self.started()
        except BaseException:
            self.__exit__()
            raise

    def started(self):
        self.base, self.token = None, None
        late = threading.Timer(STARTS_WITHIN, self.process.terminate)
        late.start()
        told = []
        for line in self.process.stdout:
            told.append(line)
            if found := re.search(r"console +(http://\S+)", line):
                self.base = found[1]
            if found := re.search(r"#token=(\S+)", line):
                self.token = found[1]
                break
        late.cancel()
        if not (self.base and self.token):
            fail("the demo did not start:\n" + "".join(told))
        # What nobody reads would fill the pipe, and stop the demo.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            # Its children end with it: `deskstream-guard` sees to that.
            self.process.kill()
            self.process.wait()


class Api:
    def __init__(self, base):
        self.base = base

    def call(self, path, body=None, token=None, method=None, **headers):
        headers |= {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        body = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            fail(f"{path} answered {error.code}: {error.read().decode(errors='replace')}")

    def sign_in(self, email):
        return self.call("/api/v1/auth/sign-in", {"email": email, "password": PASSWORD})["access_token"]

    def operator(self):
        """An operator's session of its own, within the tenant."""
        token = self.sign_in(OPERATOR)
        return self.call("/api/v1/auth/tenant", {"tenant": TENANT}, token)["access_token"]

    def tickets(self, token):
        """Tickets of one helpdesk, as soon as there are some."""
        until = time.monotonic() + TICKETS_WITHIN
        while time.monotonic() < until:
            found = self.call("/api/v1/tickets?platform=zendesk&limit=20", token=token)["items"]
            if len(found) >= 5:
                return [ticket["ticket_id"] for ticket in found]
            time.sleep(0.5)
        fail(f"the demo has no tickets after {TICKETS_WITHIN} s")


class Tool:
    """Runs schemathesis, with what is known of the bed beside the configuration."""

    def __init__(self, tool, base, folder, tickets, users):
        self.tool, self.base, self.folder = tool, base, folder
        known = {
            "path.platform": ["zendesk"],
            "path.ticket_id": tickets,
            "path.id": users,
            # Of what was changed a few times at most, and of what is not there yet.
            "header.If-Match": [", ".join(f'"{version}"' for version in range(1, 10))],
            "header.If-None-Match": ["*"],
        }
        config = [CONFIG.read_text()]
        config += [f"[dictionaries.known{at}]\nvalues = {json.dumps(values)}" for at, values in enumerate(known.values())]
        config += ["[parameters]"]
        config += [
            f"{json.dumps(name)} = {{ dictionary = \"known{at}\", probability = 0.7 }}" for at, name in enumerate(known)
        ]
        self.config = folder / "schemathesis.toml"
        self.config.write_text("\n".join(config) + "\n")
        self.report = folder / "report.ndjson"

    def run(self, who, token, *options):
        """One run as somebody; whether it found nothing."""
        command = [self.tool, "--config-file", str(self.config), "run", f"{self.base}/api/v1/openapi.json"]
        command += ["--no-color", "--report", "ndjson", "--report-ndjson-path", str(self.report), *options]
        command += ["--header", f"Authorization: Bearer {token}"] if token else []
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        told = re.search(r"\d+ generated,.*", done.stdout)
        print(f"schemathesis: {who}: {told[0] if told else 'it did not run'}", flush=True)
        if done.returncode:
            print(done.stdout, flush=True)
        return done.returncode == 0

    def succeeded(self):
        """The operations of the last run that were done at least once."""
        done = set()
        for line in self.report.read_text().splitlines():
            recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
            for case, interaction in recorder.get("interactions", {}).items():
                if 200 <= (interaction.get("response") or {}).get("status_code", 0) < 300:
                    case = recorder["cases"][case]["value"]
                    done.add(f"{case['method']} {case['path']}")
        return done


def operations(api, left_out):
    paths = api.call("/api/v1/openapi.json")["paths"].items()
    return {f"{method.upper()} {path}" for path, item in paths if not re.search(left_out, path) for method in item}


def main(binary, tool):
    with tempfile.TemporaryDirectory(prefix="deskstream-contract-") as folder:
        folder = pathlib.Path(folder)
        with Demo(binary, folder) as demo:
            api = Api(demo.base)
            operator = {"email": OPERATOR, "name": "Olga", "password": PASSWORD, "token": demo.token}
            api.call("/api/v1/auth/bootstrap", operator)
            operator = api.operator()
            viewer = {"email": VIEWER, "name": "Vera", "password": PASSWORD, "role": "viewer"}
            users = [api.call("/api/v1/users", viewer, operator)["id"]]
            # The operator's run removes some of them, and needs others.
            for name in "abcdef":
                auditor = viewer | {"email": f"{name}@acme.example", "role": "auditor"}
                users.append(api.call("/api/v1/users", auditor, operator)["id"])
            policy = "/api/v1/settings/redaction-policy"
            api.call(policy, {"policies": {"email": "mask"}}, operator, "PUT", **{"if-none-match": "*"})
            viewer = api.sign_in(VIEWER)

            tool = Tool(tool, demo.base, folder, api.tickets(operator), users)
            left_out = "|".join([STREAM, *(f"^{re.escape(path)}$" for path in ENDS_SESSIONS)])
            sound = [tool.run("nobody", None, "--max-examples=5")]
            for who, token, examples in (("viewer", viewer, 5), ("operator", operator, 20)):
                sound.append(tool.run(who, token, f"--max-examples={examples}", "--exclude-path-regex", left_out))
                # One whose session ended midway had nothing but refusals, which are documented.
                if api.call("/api/v1/me", token=token)["role"] != who:
                    fail(f"the {who} became another one midway")
            lacking = operations(api, left_out) - tool.succeeded() - NO_SUCCESS
            for path in ENDS_SESSIONS:
                sound.append(tool.run(path, api.operator(), "--max-examples=5", "--include-path", path))
            if lacking:
                fail("no request succeeded of " + ", ".join(sorted(lacking)))
    if not all(sound):
        fail("answers are not what /api/v1/openapi.json says: see above, `Reproduce with` has each request")


if __name__ == "__main__":
    # Whoever ends this ends the demo with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main(*sys.argv[1:])
