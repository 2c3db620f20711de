#!/usr/bin/env python3
"""A teacher for tests and demonstrations: an OpenAI-compatible server on loopback, with faults to order.

    server.py --answers QUESTIONS.jsonl [--port 0] [--rate-429 0.1] ...

README.md in this folder says what it answers; `server.py --help` lists the options. Python's standard library
only. One process, one thread: a few thousand requests a second.
"""

import argparse
import asyncio
import email.utils
import json
import math
import os
import signal
import ssl
import sys
import time
from hashlib import blake2b

from knowledge import USUAL_MAX_TOKENS, Asked, BadQuestion, Knowledge, Teacher, draw

# Faults of a whole request. A repeated request draws again.
REQUEST_FAULTS = {
    "429": "too many requests, with Retry-After",
    "500": "server error",
    "503": "overloaded",
    "close": "the connection is closed without an answer",
    "cut": "the connection is closed in the middle of the body",
    "malformed": "status 200 with a body that is not the JSON of an answer",
    "empty": "an answer without choices",
    "refusal": "choices without content, with or without a refusal text",
    "slow": "a right answer after --slow-seconds",
    "paid": "choices without a message, and the tokens that they cost",
}
# Faults of a choice. They belong to its content: a repeated request gets them again.
CHOICE_FAULTS = {
    "length": f"text cut off, finish_reason length, unless max_tokens is at least {2 * USUAL_MAX_TOKENS}",
    "format": "one of the broken formats",
    "disagree": "another option is said to be correct",
    "false": "of each single text: what is true of another thing",
}


class Reply:
    """What goes back. framing: whole, cut (half of the body), none (no answer at all)."""

    def __init__(self, status, value, headers=(), framing="whole", asked=None, usage=None, delay=0.0):
        self.status, self.headers, self.framing = status, dict(headers), framing
        self.body = value if isinstance(value, bytes) else json.dumps(
            value, ensure_ascii=False).encode("utf-8", "replace")
        self.asked, self.usage, self.delay = asked, usage, delay


def failed(status, message, kind="invalid_request_error", param=None, code=None, headers=()):
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Reply(status, {"error": error}, headers)


class Bucket:
    """Token bucket that is full at the start."""

    def __init__(self, per_minute, burst_seconds):
        self.limit, self.rate = per_minute, per_minute / 60
        self.capacity = max(1.0, self.rate * burst_seconds)
        self.level, self.at = self.capacity, time.monotonic()

    def wait(self, cost):
        """Seconds until `cost` may be taken; what exceeds the capacity passes when the bucket is full."""
        now = time.monotonic()
        self.level = min(self.capacity, self.level + (now - self.at) * self.rate)
        self.at = now
        return max(0.0, (min(cost, self.capacity) - self.level) / self.rate)

    def headers(self, what):
        return {f"x-ratelimit-limit-{what}": self.limit,
                f"x-ratelimit-remaining-{what}": max(0, int(self.level)),
                f"x-ratelimit-reset-{what}": duration((self.capacity - self.level) / self.rate)}


def duration(seconds):
    """As the provider writes it: 20ms, 1.5s, 1m30s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"


class Counts:
    def __init__(self):
        self.requests = self.answered = self.in_flight = self.most_in_flight = 0
        self.prompt_tokens = self.completion_tokens = 0
        self.by_status, self.faults, self.per_question = {}, {}, {}

    def add(self, table, key):
        table[key] = table.get(key, 0) + 1

    def sent(self, reply):
        """A body has been sent completely."""
        self.add(self.by_status, str(reply.status))
        if reply.asked is not None:
            self.answered += 1
            self.add(self.per_question, reply.asked.text)
            self.prompt_tokens += reply.usage["prompt_tokens"]
            self.completion_tokens += reply.usage["completion_tokens"]

    def value(self):
        return {key: value for key, value in vars(self).items() if key != "in_flight"}


class Endpoint:
    """From a request's body to the reply, without any transport."""

    def __init__(self, options):
        self.options = options
        rates = {name: getattr(options, f"rate_{name}") for name in CHOICE_FAULTS}
        self.knowledge = Knowledge(options.seed, options.answers)
        self.teacher = Teacher(self.knowledge, rates, options.think)
        self.counts = Counts()
        self.seen = {}  # hash of a body: how often it came
        self.requests = Bucket(options.rpm, options.burst) if options.rpm else None
        self.tokens = Bucket(options.tpm, options.burst) if options.tpm else None

    def refused(self, request):
        """The reply to a request that no repetition makes acceptable, or None."""
        options = self.options
        model = request.get("model")
        if not isinstance(model, str) or not model:
            return failed(400, "you must provide a model parameter")
        if options.model and model != options.model:
            return failed(404, f"The model `{model}` does not exist or you do not have access to it.",
                          code="model_not_found")
        messages = request.get("messages")
        if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
            return failed(400, "'messages' must be a non-empty array of objects.", param="messages")
        if request.get("stream"):
            return failed(400, "Streaming is not supported.", param="stream", code="unsupported_value")
        n, temperature = request.get("n"), request.get("temperature")
        if n is not None and (type(n) is not int or not 1 <= n <= 128):
            return failed(400, f"Invalid 'n': expected an integer from 1 to 128, got {n!r}.", param="n")
        if options.no_n and n is not None and n > 1:
            return failed(400, "Unsupported value: 'n' does not support values above 1 with this model.",
                          param="n", code="unsupported_value")
        if options.max_completion_tokens and "max_tokens" in request:
            return failed(400, "Unsupported parameter: 'max_tokens' is not supported with this model. "
                          "Use 'max_completion_tokens' instead.", param="max_tokens", code="unsupported_parameter")
        for name in ("max_tokens", "max_completion_tokens"):
            limit = request.get(name)
            if limit is not None and (type(limit) is not int or limit < 1):
                return failed(400, f"Invalid '{name}': expected a positive integer, got {limit!r}.", param=name)
        if temperature is not None and (type(temperature) not in (int, float) or not 0 <= temperature <= 2):
            return failed(400, f"Invalid 'temperature': expected 0 to 2, got {temperature!r}.", param="temperature")
        if options.refuse and options.refuse in text_of(messages[-1]):
            return failed(options.refuse_status, "The response was filtered by the content management policy.",
                          code="content_filter")
        if options.no_temperature and temperature is not None and temperature != 1:
            return failed(400, f"Unsupported value: 'temperature' does not support {temperature} with this model. "
                          "Only the default (1) value is supported.", param="temperature", code="unsupported_value")
        if options.no_seed and "seed" in request:
            return Reply(422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"],
                                           "msg": "Extra inputs are not permitted"}]})
        if type(request.get("seed") or 0) is not int:
            return failed(400, "Invalid 'seed': expected an integer.", param="seed")
        response_format = request.get("response_format") or {"type": "text"}
        kind = response_format.get("type") if isinstance(response_format, dict) else None
        if kind not in ("text", "json_object", "json_schema") or (options.no_response_format and kind != "text"):
            return failed(400, f"Invalid parameter: 'response_format' of type '{kind}' is not supported with "
                          "this model.", param="response_format")
        return None

    def limited(self, prompt_tokens, limit):
        """The reply to a request above the limits of a minute, or None, which takes it from both buckets."""
        cost = prompt_tokens + limit
        taken = [(b, c, what) for b, c, what in ((self.requests, 1, "requests"), (self.tokens, cost, "tokens")) if b]
        waits = [(bucket.wait(c), bucket, what) for bucket, c, what in taken]
        wait, bucket, what = max(waits, key=lambda w: w[0], default=(0.0, None, None))
        if wait > 0:
            return failed(429, f"Rate limit reached on {what} per minute: Limit {bucket.limit}. "
                          f"Please try again in {duration(wait)}.", what, code="rate_limit_exceeded",
                          headers=self.retry_after(math.ceil(wait)))
        for bucket, c, _ in taken:
            bucket.level -= c
        return None

    def retry_after(self, seconds):
        if self.options.retry_after_date:
            return {"Retry-After": email.utils.formatdate(math.ceil(time.time() + seconds), usegmt=True)}
        return {"Retry-After": seconds}

    def fault(self, digest):
        """The fault of this request, or None: follows from its body and how often that has come."""
        times = self.seen[digest] = self.seen.get(digest, -1) + 1
        if self.options.fault_times is not None and times >= self.options.fault_times:
            return None
        drawn = draw("fault", self.options.seed, digest, times) / 2**64
        for name in REQUEST_FAULTS:
            drawn -= getattr(self.options, f"rate_{name}")
            if drawn < 0:
                self.counts.add(self.counts.faults, name)
                return name
        return None

    def reply(self, body):
        try:
            request = json.loads(body)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            return failed(400, "We could not parse the JSON body of your request.")
        refused = self.refused(request)
        if refused:
            return refused
        texts = [text_of(message) for message in request["messages"]]
        last = next((text for text, message in zip(reversed(texts), reversed(request["messages"]))
                     if message.get("role") == "user"), "")
        try:
            asked = Asked(last)
        except BadQuestion as error:
            return failed(400, str(error), param="messages")
        max_tokens = request.get("max_completion_tokens", request.get("max_tokens"))
        prompt_tokens = sum(len(text.split()) for text in texts)
        digest = blake2b(body, digest_size=16).hexdigest()
        limited = self.limited(prompt_tokens, (max_tokens or 0) * (request.get("n") or 1))
        if limited:
            return limited
        fault = self.fault(digest)
        if fault == "429":
            return failed(429, "Rate limit reached. Please try again later.", "requests",
                          code="rate_limit_exceeded", headers=self.retry_after(self.options.retry_after))
        if fault == "500":
            return failed(500, "The server had an error while processing your request. Sorry about that!",
                          "server_error")
        if fault == "503":
            return failed(503, "The engine is currently overloaded, please try again later.", "server_error")
        if fault == "close":
            return Reply(0, b"", framing="none")
        value = self.answer(request, asked, digest, max_tokens, prompt_tokens)
        if fault == "empty":
            value["choices"] = []
        elif fault == "refusal":
            for choice in value["choices"]:
                choice["message"]["content"] = None
                if draw("refusal", digest) % 2:
                    choice["message"]["refusal"] = "I'm sorry, I can't assist with that request."
        elif fault == "paid":
            for choice in value["choices"]:
                del choice["message"]
        elif fault == "malformed":
            return Reply(200, malformed(json.dumps(value).encode(), draw("malformed", digest)))
        framing = "cut" if fault == "cut" else "whole"
        usable = fault in (None, "slow")
        return Reply(200, value, framing=framing, asked=asked if usable else None, usage=value["usage"],
                     delay=self.options.slow_seconds if fault == "slow" else 0.0)

    def answer(self, request, asked, digest, max_tokens, prompt_tokens):
        structured = (request.get("response_format") or {}).get("type", "text") != "text"
        round_ = "" if max_tokens in (None, USUAL_MAX_TOKENS) else str(max_tokens)
        if self.options.vary_with_body:
            round_ += f" {digest}"
        first = (request.get("seed") or 0) % 1000  # far ones would only be wordier
        choices, words, thought = [], 0, 0
        for index in range(1 if self.options.ignore_n else request.get("n") or 1):
            text, reason, length = self.teacher.content(asked, round_, first + index, structured, max_tokens)
            message = {"role": "assistant", "content": text, "refusal": None}
            words += length
            if self.options.reasoning:
                message["reasoning_content"] = self.teacher.thoughts(asked)
                thought += len(message["reasoning_content"].split())
            if self.options.manners == "parts":
                message["content"] = [{"type": "text", "text": text}]
            elif self.options.manners == "fence":
                message["content"] = f"Let me think.</think>```json\n{text}\n```"
            elif self.options.manners == "broken" and index == 0:
                message.update(content="\ud800 \0 \x1b[31m", refusal="")
            choices.append({"index": index, "message": message, "logprobs": None, "finish_reason": reason})
        thought += self.options.thoughts * len(choices)
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": words + thought,
                 "total_tokens": prompt_tokens + words + thought}
        if self.options.reasoning:
            usage["completion_tokens_details"] = {"reasoning_tokens": thought}
        return {"id": f"chatcmpl-{digest[:24]}", "object": "chat.completion", "created": 1700000000,
                "model": request["model"], "choices": choices, "usage": usage}


def text_of(message):
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def malformed(body, drawn):
    forms = [body[:len(body) // 2], b"<html><body><h1>502 Bad Gateway</h1></body></html>\n", b"",
             b'{"choices": "none"}', body.replace(b'"message"', b'"massage"'), b"[1, 2, 3]", b"\x00\xff\xfe" + body]
    return forms[drawn % len(forms)]


REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed",
           429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


class Server:
    """HTTP/1.1 with keep-alive over asyncio's streams."""

    def __init__(self, endpoint):
        self.endpoint, self.options, self.counts = endpoint, endpoint.options, endpoint.counts

    async def connection(self, reader, writer):
        try:
            while await self.exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError,
                ssl.SSLError):
            pass  # the client went away, or does not speak HTTP
        finally:
            writer.close()

    async def exchange(self, reader, writer):
        """One request and its reply; whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, version = head[0].split(" ")
        if not version.startswith("HTTP/1."):
            raise ValueError(version)
        headers = {}
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = await read_chunks(reader)
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        keep = headers.get("connection", "").lower() != "close" and version != "HTTP/1.0"
        path = target.partition("?")[0]
        if path != "/v1/chat/completions":
            self.send(writer, self.other(method, path, headers), keep)
        elif method != "POST":
            self.send(writer, failed(405, f"Not allowed to {method} on {path}."), keep)
        else:
            keep = await self.chat(headers, body, reader, writer, keep)
        await writer.drain()
        return keep

    async def chat(self, headers, body, reader, writer, keep):
        counts = self.counts
        counts.requests += 1
        counts.in_flight += 1
        counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)
        try:
            reply = self.turned(headers) or self.unauthorized(headers) or self.endpoint.reply(body)
            delay = self.options.latency_ms / 1000 + reply.delay
            if delay > 0:
                await asyncio.sleep(delay)
            if reply.framing == "none":
                counts.add(counts.by_status, "closed")
                return False
            if reader.at_eof() or writer.is_closing():
                counts.add(counts.by_status, "client gone")
                return False
            self.send(writer, reply, keep)
            await writer.drain()
            if reply.framing == "cut":
                counts.add(counts.by_status, "cut")
                return False
            counts.sent(reply)
            return keep
        finally:
            counts.in_flight -= 1

    def turned(self, headers):
        """The reply from the --after'th answer on, or None; its words repeat the key."""
        if self.options.then is None or self.counts.answered < self.options.after:
            return None
        return failed(self.options.then, f"It ends here.\x1b[2J Sent: {headers.get('authorization')}")

    def unauthorized(self, headers):
        if self.options.key is None:
            return None
        kind, _, key = headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or not key:
            return failed(401, "You didn't provide an API key.")
        if key != self.options.key:
            return failed(401, f"Incorrect API key provided: {key[:3]}***{key[-2:]}.", code="invalid_api_key")
        return None

    def other(self, method, path, headers):
        if path == "/counts":
            return Reply(200, self.counts.value())
        if path != "/v1/models":
            return failed(404, f"Invalid URL ({method} {path})")
        model = {"id": self.options.model or "world-teacher", "object": "model", "created": 1700000000,
                 "owned_by": "tests"}
        return self.unauthorized(headers) or Reply(200, {"object": "list", "data": [model]})

    def send(self, writer, reply, keep):
        headers = {"Content-Type": "application/json", **reply.headers, **dict(self.options.header)}
        for bucket, what in ((self.endpoint.requests, "requests"), (self.endpoint.tokens, "tokens")):
            if bucket:
                headers.update(bucket.headers(what))
        body, cut = reply.body, reply.framing == "cut"
        if self.options.chunked:
            headers["Transfer-Encoding"] = "chunked"
            pieces = [body[i:i + 1000] for i in range(0, len(body), 1000)]
            if cut:
                pieces = pieces[:len(pieces) // 2]
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
            body += b"" if cut else b"0\r\n\r\n"
        else:
            headers["Content-Length"] = len(body)
            body = body[:len(body) // 2] if cut else body
        if not keep:
            headers["Connection"] = "close"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        status = f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Other')}\r\n"
        writer.write((status + lines + "\r\n").encode("latin-1") + body)


async def read_chunks(reader):
    body = b""
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        body += await reader.readexactly(size)
        await reader.readuntil(b"\r\n")
        if size == 0:
            return body


def write_counts(counts, path):
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        json.dump(counts.value(), file, ensure_ascii=False, indent=1)
        file.write("\n")
    os.replace(path + ".tmp", path)


async def serve(options, endpoint):
    context = None
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls)
    server = await asyncio.start_server(Server(endpoint).connection, "127.0.0.1", options.port, ssl=context,
                                        backlog=4096, limit=2**20)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()


def answer_batch(endpoint, source, target):
    """A provider's batch: lines of requests in, lines of answers out, in another order."""
    lines = []
    with open(source, encoding="utf-8") as file:
        for line in filter(str.strip, file):
            item = json.loads(line)
            name = item["custom_id"]
            if item["method"] != "POST" or item["url"] != "/v1/chat/completions":
                raise ValueError(f"{source}: {name}: expected POST /v1/chat/completions")
            reply = endpoint.reply(json.dumps(item["body"], ensure_ascii=False).encode("utf-8", "replace"))
            result = {"id": f"batch_req_{draw(name):016x}", "custom_id": name, "response": None, "error": None}
            try:
                if reply.framing != "whole":
                    raise ValueError
                result["response"] = {"status_code": reply.status, "request_id": f"{draw('request', name):016x}",
                                      "body": json.loads(reply.body)}
            except ValueError:
                result["error"] = {"code": "batch_expired", "message": "This request could not be executed "
                                   "before the completion window expired."}
            lines.append((draw("place", name), json.dumps(result, ensure_ascii=False)))
    with open(target, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for _, line in sorted(lines))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--answers", metavar="FILE.jsonl",
        help="questions with reasoning (datasets/README.md); others are answered by a rule")
    add("--port", type=int, default=0,
        help="0 (default) takes a free one; it is printed as 'listening on 127.0.0.1:PORT'")
    add("--seed", type=int, default=1, help="seed for every choice of words and every fault (default 1)")
    add("--chunked", action="store_true", help="send bodies in chunks in place of Content-Length")
    add("--latency-ms", type=float, default=0, metavar="N", help="wait before each answer")
    add("--tls", nargs=2, metavar=("CERT", "KEY"), help="speak https with these PEM files")
    add("--count", metavar="FILE", help="write the object of GET /counts there on SIGTERM or SIGINT")
    add("--batch", nargs=2, metavar=("IN", "OUT"), help="answer a batch file in place of serving")
    manners = parser.add_argument_group("manners")
    add = manners.add_argument
    add("--no-n", action="store_true", help="refuse n above 1")
    add("--max-completion-tokens", action="store_true", help="refuse max_tokens, which is to be max_completion_tokens")
    add("--no-temperature", action="store_true", help="refuse a temperature other than 1")
    add("--no-response-format", action="store_true", help="refuse response_format json_schema and json_object")
    add("--no-seed", action="store_true", help="refuse seed, with an error as FastAPI words it")
    add("--ignore-n", action="store_true", help="answer once, whatever n is")
    add("--manners", choices=("parts", "fence", "broken"),
        help="contents as lists of parts; in a fence behind </think>; the first choice not text, the refusal empty")
    add("--thoughts", type=int, default=0, metavar="N", help="add N tokens a choice to what an answer costs")
    add("--refuse", metavar="TEXT", help="refuse (--refuse-status, default 400) questions that have the text")
    add("--refuse-status", type=int, default=400, metavar="STATUS")
    add("--then", type=int, metavar="STATUS", help="answer with this error, which repeats the key, ...")
    add("--after", type=int, default=0, metavar="N", help="... once N requests were answered (default 0)")
    add("--header", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="of every reply")
    add("--reasoning", action="store_true", help="add message.reasoning_content")
    add("--think", action="store_true", help="begin the content with a <think> block")
    add("--key", help="refuse (401) any other key")
    add("--model", metavar="NAME", help="refuse (404) any other model")
    add("--rpm", type=int, metavar="N", help="requests a minute; more get 429")
    add("--tpm", type=int, metavar="N", help="tokens a minute (words of the prompt, and max_tokens of each choice)")
    add("--burst", type=float, default=60, metavar="SECONDS",
        help="how many seconds' worth of --rpm and --tpm may come at once (default 60)")
    add("--vary-with-body", action="store_true", help="any difference between two requests is another retry round")
    faults = parser.add_argument_group("faults of a request (rates from 0 to 1; together at most 1)")
    for name, words in REQUEST_FAULTS.items():
        faults.add_argument(f"--rate-{name}", type=float, default=0, metavar="R", help=words)
    faults.add_argument("--fault-times", type=int, metavar="N", help="only the first N times that a body comes")
    faults.add_argument("--retry-after", type=int, default=1, metavar="SECONDS", help="of --rate-429 (default 1)")
    faults.add_argument("--retry-after-date", action="store_true", help="Retry-After as an HTTP date")
    faults.add_argument("--slow-seconds", type=float, default=5, metavar="S", help="of --rate-slow (default 5)")
    faults = parser.add_argument_group("faults of a choice (rates from 0 to 1)")
    for name, words in CHOICE_FAULTS.items():
        faults.add_argument(f"--rate-{name}", type=float, default=0, metavar="R", help=words)
    options = parser.parse_args()
    rates = {name: getattr(options, f"rate_{name}") for name in (*REQUEST_FAULTS, *CHOICE_FAULTS)}
    for name, rate in rates.items():
        if not 0 <= rate <= 1:
            parser.error(f"--rate-{name}: expected a number from 0 to 1, got {rate}")
    if sum(rates[name] for name in REQUEST_FAULTS) > 1 + 1e-9:
        parser.error("the rates of faults of a request add up to more than 1")
    for name in ("rpm", "tpm"):
        limit = getattr(options, name)
        if limit is not None and not limit > 0:
            parser.error(f"--{name}: expected a number above 0, got {limit}")
    return options


def main():
    options = parse_arguments()
    try:
        endpoint = Endpoint(options)
        if options.batch:
            answer_batch(endpoint, *options.batch)
        else:
            asyncio.run(serve(options, endpoint))
    except (OSError, ValueError, KeyError) as error:
        print(f"server.py: {error}", file=sys.stderr)
        return 1
    if options.count:
        write_counts(endpoint.counts, options.count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
