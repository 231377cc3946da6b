"""Drives a running sample Slack with Slack's own SDK. Run through peers.rs, which see."""

import sys
import time

from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, ContextBlock, HeaderBlock, MarkdownTextObject, SectionBlock
from slack_sdk.webhook import WebhookClient

client = WebhookClient(sys.argv[1])
answer = client.send(
    text="fallback",
    blocks=[
        HeaderBlock(text="High urgency"),
        SectionBlock(text="*rule* fired", fields=["*tenant* acme", "*since* 12:00"]),
        ContextBlock(elements=[MarkdownTextObject(text="rule 2")]),
        ActionsBlock(elements=[ButtonElement(text="Open", action_id="open", value="1")]),
    ],
)
assert (answer.status_code, answer.body) == (200, "ok"), answer.body
assert client.send(blocks=[]).status_code == 400

client.send(text="two")
limited = client.send(text="three")
limited = limited if limited.status_code == 429 else client.send(text="four")
assert limited.status_code == 429 and int(limited.headers["retry-after"]) >= 1, (limited.status_code, limited.headers)

client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
start = time.monotonic()
assert client.send(text="patient").body == "ok"
assert time.monotonic() - start >= 0.9
print("slack_sdk agrees with the webhook")

# A bot that answers in threads.
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

api, token, channel = sys.argv[2:5]
bot = WebClient(token=token, base_url=api, retry_handlers=[RateLimitErrorRetryHandler(max_retry_count=3)])
first = bot.chat_postMessage(channel=channel, text="fallback", blocks=[SectionBlock(text="*rule* fired")])
assert first["ok"] and first["channel"] == channel and first["ts"], first.data
answer = bot.chat_postMessage(channel=channel, text="resolved", thread_ts=first["ts"], reply_broadcast=True)
assert answer["ok"] and answer["ts"] != first["ts"], answer.data
for wrong, error in [
    (dict(channel="C404", text="x"), "channel_not_found"),
    (dict(channel=channel), "no_text"),
    (dict(channel=channel, text="x", thread_ts="1.000001"), "thread_not_found"),
]:
    try:
        bot.chat_postMessage(**wrong)
        raise AssertionError(wrong)
    except SlackApiError as refused:
        assert refused.response["error"] == error, refused.response.data
try:
    WebClient(token="xoxb-wrong", base_url=api).chat_postMessage(channel=channel, text="x")
    raise AssertionError("a wrong token was taken")
except SlackApiError as refused:
    assert refused.response["error"] == "invalid_auth", refused.response.data
print("slack_sdk agrees with the bot")
