"""Drives a running sample Zendesk with zenpy, an independent client (a test tool only: GPL-3.0).

Run through `cargo test -p deskstream-samples --test peers -- --ignored`; see peers.rs for what it needs.
"""

import datetime
import json
import os
import sys
import time
import urllib.request

base, email, token = sys.argv[1:4]
os.environ["ZENPY_FORCE_SCHEME"], os.environ["ZENPY_FORCE_NETLOC"] = base.split("://")

from zenpy import Zenpy  # noqa: E402
from zenpy.lib.api_objects import Comment, Ticket, User  # noqa: E402
from zenpy.lib.api_objects import Webhook  # noqa: E402
from zenpy.lib.exception import APIException, RecordNotFoundException  # noqa: E402

zenpy = Zenpy(subdomain="sample", email=email, token=token)
# Every answer must come from the sample.
zenpy.disable_caching()
checks = 0


def check(what, fits):
    global checks
    checks += 1
    if not fits:
        sys.exit(f"failed: {what}")


def control(path, body):
    request = urllib.request.Request(
        base + "/__control/" + path, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return answer.read()


me = zenpy.users.me()
check("the API user is an admin", me.role == "admin" and me.email == email)

audit = zenpy.tickets.create(
    Ticket(
        subject="From zenpy",
        comment=Comment(body="My printer is on fire"),
        priority="low",
        tags=["one", "two"],
        requester=User(name="Ann Other", email="ann@example.com"),
    )
)
ticket = audit.ticket
check("a created ticket has an id", isinstance(ticket.id, int))
shown = zenpy.tickets(id=ticket.id)
check("it is shown", shown.subject == "From zenpy" and shown.status == "new" and sorted(shown.tags) == ["one", "two"])
check("its requester was made", shown.requester.email == "ann@example.com")
check("updated_at is parsed", isinstance(shown.updated, datetime.datetime))

shown.comment = Comment(body="private analysis", public=False)
shown.priority = "high"
shown.tags = ["one", "three"]
answer = zenpy.tickets.update(shown)
check("an update answers with ticket and audit", answer.ticket.priority == "high" and len(answer.audit.events) >= 3)
comments = list(zenpy.tickets.comments(ticket=ticket.id))
check("comments are listed", [comment.public for comment in comments] == [True, False])
check("audits are listed", len(list(zenpy.tickets.audits(ticket=ticket.id))) == 2)

stale = zenpy.tickets(id=ticket.id)
time.sleep(1.1)
control(f"tickets/{ticket.id}/agent_edit", {"update": {"tags": [{"add": ["agent"]}]}})
stale.tags = ["mine"]
stale.safe_update = True
stale.updated_stamp = stale.updated_at
try:
    zenpy.tickets.update(stale)
    check("a stale safe update is refused", False)
except APIException as error:
    check("a stale safe update is a 409", error.response.status_code == 409)
    check("and is named", error.response.json()["error"] == "UpdateConflict")

zenpy.tickets.add_tags(ticket.id, ["added"])
zenpy.tickets.delete_tags(ticket.id, ["one"])
check("tags are merged", sorted(zenpy.tickets(id=ticket.id).tags) == ["added", "agent", "three"])
zenpy.tickets.set_tags(ticket.id, ["only"])
check("tags are set", zenpy.tickets(id=ticket.id).tags == ["only"])

try:
    zenpy.tickets(id=424242)
    check("a missing ticket is an error", False)
except RecordNotFoundException:
    checks += 1

for number in range(5):
    control("tickets", {"subject": f"bulk {number}", "body": "b", "requester_email": f"r{number}@example.com"})
many = list(zenpy.tickets(ids=[2, 3, 4]))
check("several are shown at once", len(many) == 3)
for one in many:
    one.status = "open"
job = zenpy.tickets.update(many)
for _ in range(100):
    job = zenpy.job_status(id=job.id)
    if job.status == "completed":
        break
    time.sleep(0.02)
check("a bulk update completes", job.status == "completed" and all(row.success for row in job.results))
check("and is applied", all(one.status == "open" for one in zenpy.tickets(ids=[2, 3, 4])))

found = list(zenpy.search("bulk", type="ticket", status="open"))
check("search finds them", len(found) == 3)

check("all are listed, page by page", len(list(zenpy.tickets())) == 6)

control("clock", {"advance_seconds": 300})
export = zenpy.tickets.incremental(start_time=1, paginate_by_time=False, per_page=2)
ids = [one.id for one in export]
check("the export gives every ticket once, in pages", sorted(ids) == [1, 2, 3, 4, 5, 6])

hook = zenpy.webhooks.create(
    Webhook(
        name="from zenpy",
        endpoint="http://127.0.0.1:9/hook",
        http_method="POST",
        request_format="json",
        status="active",
        subscriptions=["zen:event-type:ticket.created"],
    )
)
check("a webhook is made", len(hook.id) == 26)
secret = zenpy.webhooks.show_secret(hook)
check("its secret is shown", len(secret.secret) == 44 and secret.algorithm == "SHA256")
check("and rotated", zenpy.webhooks.reset_secret(hook).secret != secret.secret)
hook.name = "renamed"
zenpy.webhooks.patch(hook)
check("a webhook is renamed", zenpy.webhooks(id=hook.id).name == "renamed")
check("webhooks are listed", [one.id for one in zenpy.webhooks.list()] == [hook.id])
zenpy.webhooks.delete(hook)
check("and deleted", list(zenpy.webhooks.list()) == [])

# The second request within a minute is refused with Retry-After, which zenpy waits for by itself.
none = {name: None for name in ("updates_per_minute", "updates_per_ticket", "exports_per_minute", "webhooks_per_minute",
                                "webhook_tests_per_minute")}
control("limits", {**none, "account_per_minute": 10_000, "old_spelling": False})
control("faults", {"path": "/api/v2/tickets/*", "fault": "status", "status": 429, "retry_after": 1, "times": 1})
start = time.monotonic()
check("a refused request is repeated", zenpy.tickets(id=2).id == 2)
check("after its wait", time.monotonic() - start >= 1.0)
zenpy.tickets.delete(zenpy.tickets(id=3))
try:
    zenpy.tickets(id=3)
    check("a deleted ticket is gone", False)
except RecordNotFoundException:
    checks += 1

print(f"{checks} checks passed")
