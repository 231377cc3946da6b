"""Holds the console's REST API to its own OpenAPI description: schemathesis against a running `deskstream demo`.

console.py DESKSTREAM SCHEMATHESIS: the binary to start, and the tool to run. Nobody, a viewer and an operator within a
tenant call every route; those that end the session they are called with, by sessions of their own. Live numbers
(overview/stream) have no end, and are for the browser's test.
"""

import json
import os
import pathlib
import re
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
ENDS_SESSIONS = r"^/api/v1/(auth/tenant|auth/sign-out|me/password|me/sessions/\{id\})$"


def fail(why):
    sys.exit(f"make test-contract: the console: {why}")


class Demo:
    """A demo of its own, on a free port, that ends with the `with`."""

    def __init__(self, binary, folder):
        self.log = folder / "demo.log"
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
            self.__exit__()
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

    def call(self, path, body=None, token=None):
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        body = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
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


def run(tool, config, base, who, options, token=None):
    """One run as somebody; whether it found nothing."""
    print(f"schemathesis: {who}", flush=True)
    headers = ["--header", f"Authorization: Bearer {token}"] if token else []
    command = [tool, "--config-file", str(config), "run", f"{base}/api/v1/openapi.json", "--no-color", *headers, *options]
    done = subprocess.run(command, cwd=config.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print(done.stdout)
    else:
        print("".join(f"  {line}\n" for line in done.stdout.splitlines() if re.search(r"Tested:|generated|passed", line)))
    return done.returncode == 0


def main(binary, tool):
    with tempfile.TemporaryDirectory(prefix="deskstream-contract-") as folder:
        folder = pathlib.Path(folder)
        with Demo(binary, folder) as demo:
            api = Api(demo.base)
            operator = {"email": OPERATOR, "name": "Olga", "password": PASSWORD, "token": demo.token}
            api.call("/api/v1/auth/bootstrap", operator)
            operator = api.operator()
            viewer = {"email": VIEWER, "name": "Vera", "password": PASSWORD, "role": "viewer"}
            api.call("/api/v1/users", viewer, operator)
            viewer = api.sign_in(VIEWER)
            leaving = api.operator()

            # Paths of tickets that are there, beside those that are made up.
            ids = ", ".join(json.dumps(ticket) for ticket in api.tickets(operator))
            config = folder / "schemathesis.toml"
            known = (
                "\n[dictionaries.platforms]\nvalues = [\"zendesk\"]\n"
                f"[dictionaries.tickets]\nvalues = [{ids}]\n"
                "[parameters]\n"
                "\"path.platform\" = { dictionary = \"platforms\", probability = 0.7 }\n"
                "\"path.ticket_id\" = { dictionary = \"tickets\", probability = 0.7 }\n"
            )
            config.write_text(CONFIG.read_text() + known)

            stays = ["--exclude-path-regex", f"{STREAM}|{ENDS_SESSIONS}"]
            ends = ["--include-path-regex", ENDS_SESSIONS]
            sound = []
            for who, token, examples, paths in (
                ("nobody", None, 5, []),
                ("viewer", viewer, 5, stays),
                ("operator", operator, 25, stays),
                ("operator, what ends sessions", leaving, 5, ends),
            ):
                sound.append(run(tool, config, demo.base, who, ["--max-examples", str(examples), *paths], token))
                # One whose session ended midway would have had nothing but refusals, which are documented.
                if paths is stays and api.call("/api/v1/me", token=token)["role"] != who:
                    fail(f"the {who} became another one midway")
    if not all(sound):
        fail("answers are not what /api/v1/openapi.json says: see above, `Reproduce with` has each request")


if __name__ == "__main__":
    main(*sys.argv[1:])
