#!/usr/bin/env python3
"""Checks of the teacher for tests: python3 tests/teacher/test_server.py [-v] [Class.test]"""

import email.utils
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
LETTERS = "ABCDEFGHIJ"
KETTLE = {
    "id": "t-1", "question": "Anna wants tea. What does Anna need?", "options": ["kettle", "rope", "safe"],
    "gold": 1, "split": "train",  # the data set is wrong here, the teacher is right
    "reasoning": [
        {"general": "The right thing is used for boiling water.", "answer": 0,
         "specific": ["A kettle is used for boiling water: right.", "A rope serves for climbing: wrong.",
                      "A safe is good for guarding money: wrong."]},
        {"general": "Look for something that serves for boiling water.", "answer": 0,
         "specific": ["A kettle is good for boiling water: right.", "A rope is used for climbing: wrong.",
                      "A safe serves for guarding money: wrong."]}]}
STREET = {
    "id": "t-2", "question": "What is found in the street, or near it?", "options": ["tram", "bed, made of oak"],
    "gold": 0, "split": "test",
    "reasoning": [{"general": "One needs a thing that is found in the street.",
                   "specific": ["A tram is found in the street: right.",
                                "A bed, made of oak is kept in the bedroom: wrong."]}]}
PLAIN = {"id": "t-3", "question": "Which is tall?", "options": ["tower", "mouse"], "gold": 0, "split": "train",
         "reasoning": [{"general": "A tower rises far above houses.",
                        "specific": ["a tower may have fifty floors.", "a mouse fits into a shoe."]}]}
UNKNOWN = {"question": "Where would a traveller sleep in the mountains?",
           "options": ["hut", "bank", "river", "new york", "oven"]}


def user_text(item, believed=0):
    options = ", ".join(f"{letter}. {option}" for letter, option in zip(LETTERS, item["options"]))
    order = [believed] + [i for i in range(len(item["options"])) if i != believed]
    primed = [f"{LETTERS[i]} is {'correct' if i == believed else 'incorrect'}. Because" for i in order]
    return f"{item['question']}\nOptions: {options}\nKey Information:\nExplanations: " + "\n".join(primed)


def request(item, believed=0, **more):
    example = ("###\nIs fire hot?\nOptions: A. yes, B. no\nKey Information: Fire burns.\n"
               "Explanations: A is correct. Because it does.")
    return {"model": "m", "messages": [{"role": "system", "content": "Explain.\n" + example},
                                       {"role": "user", "content": user_text(item, believed)}],
            "n": 2, "max_tokens": 256, "temperature": 0.8, **more}


def parse(text):
    """The page's format check (general, [(letter, correct, specific)]); None where it rejects."""
    general, found, rest = text.partition("Explanations:")
    if not found or not general.startswith("Key Information:"):
        return None
    lines = []
    for line in rest.strip().splitlines():
        marks = sorted((line.find(m), m) for m in ("Because ", "Because, ", "Although ", "While ") if m in line)
        if not marks:
            return None
        verdict, specific = line[:marks[0][0]].strip(), line[marks[0][0] + len(marks[0][1]):]
        match = re.match(r"^([A-E]) is (correct|incorrect)\.$", verdict)
        if not match:
            return None
        lines.append((match[1], match[2] == "correct", specific))
    if sum(correct for _, correct, _ in lines) != 1:
        return None
    return general[len("Key Information:"):].strip(), lines


def complete(text, item):
    """What parse() says, if each option has its line."""
    parsed = parse(text)
    letters = list(LETTERS[:len(item["options"])])
    return parsed if parsed and [letter for letter, _, _ in parsed[1]] == letters else None


def answer_of(text):
    return next(LETTERS.index(letter) for letter, correct, _ in parse(text)[1] if correct)


def edits(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


class Running:
    """A server for the time of a with block."""

    def __init__(self, *options, answers=True):
        self.options = [str(option) for option in options]
        if answers:
            self.options += ["--answers", ANSWERS]

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, f"{HERE}/server.py", *self.options], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line.startswith("listening on 127.0.0.1:"):
            raise AssertionError(f"server: {line}{self.process.stderr.read()}")
        self.port = int(line.rpartition(":")[2])
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        return self

    def __exit__(self, *_):
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=20)
        if out or err or self.process.returncode != 0:
            raise AssertionError(f"server ended with {self.process.returncode}: {out}{err}")

    def ask(self, body, path="/v1/chat/completions", method="POST", headers=None):
        """(status, headers, value)"""
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers or {})
        response = self.connection.getresponse()
        return response.status, response.headers, json.loads(response.read())

    def choices(self, body):
        status, _, value = self.ask(body)
        if status != 200:
            raise AssertionError(f"{status}: {value}")
        return [choice["message"]["content"] for choice in value["choices"]]


class Content(unittest.TestCase):
    def test_file(self):
        with Running() as server:
            texts = server.choices(request(KETTLE, believed=1, n=8))
        for text, reasoning in zip(texts, KETTLE["reasoning"]):
            general, lines = complete(text, KETTLE)
            self.assertEqual(general, reasoning["general"])
            self.assertEqual([line[2] for line in lines], reasoning["specific"])
        self.assertEqual(texts[0], "Key Information: The right thing is used for boiling water.\n"
                         "Explanations: A is correct. Because A kettle is used for boiling water: right.\n"
                         "B is incorrect. Because A rope serves for climbing: wrong.\n"
                         "C is incorrect. Because A safe is good for guarding money: wrong.")
        self.assertEqual([answer_of(text) for text in texts], [0] * 8)
        self.assertEqual(len({complete(text, KETTLE)[0] for text in texts}), 8)

    def test_file_without_usual_words(self):
        with Running() as server:
            for item in (PLAIN, STREET):
                texts = server.choices(request(item, n=128))
                self.assertEqual(complete(texts[0], item)[0], item["reasoning"][0]["general"])
                self.assertEqual([line[2] for line in complete(texts[0], item)[1]], item["reasoning"][0]["specific"])
                self.assertEqual(len(set(texts)), 128)
                self.assertEqual(len({complete(text, item)[0] for text in texts}), 128)
                self.assertTrue(all(complete(text, item) for text in texts))

    def test_reasonings_alike(self):
        """The same reasoning twice, and the same general text twice, in a file."""
        first, second = KETTLE["reasoning"]
        mixed = dict(second, general=first["general"])
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/alike.jsonl", "w", encoding="utf-8") as file:
                file.write(json.dumps(dict(KETTLE, reasoning=[first, first, mixed])) + "\n")
            with Running("--answers", f"{folder}/alike.jsonl", answers=False) as server:
                texts = server.choices(request(KETTLE, n=128))
        self.assertEqual(len(set(texts)), 128)
        for text, reasoning in zip(texts, (first, mixed)):
            self.assertEqual([line[2] for line in complete(text, KETTLE)[1]], reasoning["specific"])

    def test_rule(self):
        questions = [UNKNOWN, {"question": "Why?", "options": ["yes", "no"]},
                     {"question": "Because {a} of \u00e4?\nWhat then, though?", "options": ["{o}", "b, C. d", "x. y"]}]
        with Running(answers=False) as server:
            for item in questions:
                for believed in range(len(item["options"])):
                    texts = server.choices(request(item, believed, n=8))
                    generals = [complete(text, item)[0] for text in texts]
                    self.assertEqual([answer_of(text) for text in texts], [believed] * 8)
                    for i, general in enumerate(generals):
                        self.assertTrue(all(edits(general, other) > 10 for other in generals[:i]), generals)

    def test_pure(self):
        items = [KETTLE, STREET, PLAIN, UNKNOWN]

        def ask(server, items):
            return {item["question"]: server.choices(request(item, n=4)) for item in items}

        with Running() as server:
            first, again = ask(server, items), ask(server, items[::-1])
            self.assertEqual(first, again)
            self.assertEqual(server.choices(request(UNKNOWN, n=8))[:4], first[UNKNOWN["question"]])
            self.assertNotEqual(server.choices(request(UNKNOWN, n=4, max_tokens=512)), first[UNKNOWN["question"]])
            self.assertEqual(server.choices(request(KETTLE, n=3, seed=1)), first[KETTLE["question"]][1:])
            self.assertEqual(server.choices(request(KETTLE, n=4, temperature=1, user="x")), first[KETTLE["question"]])
        with Running("--chunked", "--rate-429", 0.3, "--rate-close", 0.3) as server:
            for item in items:
                for _ in range(60):
                    try:
                        texts = server.choices(request(item, n=4))
                        break
                    except (AssertionError, http.client.HTTPException, ConnectionError):
                        server.connection.close()
                self.assertEqual(texts, first[item["question"]])
        with Running("--seed", 2) as server:
            self.assertNotEqual(ask(server, items), first)
        with Running("--vary-with-body") as server:
            self.assertEqual(server.choices(request(UNKNOWN, n=4)), server.choices(request(UNKNOWN, n=4)))
            self.assertNotEqual(server.choices(request(UNKNOWN, n=4)), server.choices(request(UNKNOWN, n=4, user="x")))

    def test_structured(self):
        schema = {"type": "json_schema", "json_schema": {"name": "reasoning", "schema": {}}}
        with Running() as server:
            value = json.loads(server.choices(request(KETTLE, response_format=schema))[0])
        self.assertEqual(value, {"key_information": "The right thing is used for boiling water.", "explanations": [
            {"option": "A", "correct": True, "because": "A kettle is used for boiling water: right."},
            {"option": "B", "correct": False, "because": "A rope serves for climbing: wrong."},
            {"option": "C", "correct": False, "because": "A safe is good for guarding money: wrong."}]})

    def test_usage(self):
        with Running() as server:
            _, _, value = server.ask(request(PLAIN, n=1))
        words = sum(len(m["content"].split()) for m in request(PLAIN)["messages"])
        self.assertEqual(value["usage"], {"prompt_tokens": words, "completion_tokens": 29, "total_tokens": words + 29})


class ChoiceFaults(unittest.TestCase):
    def test_format(self):
        with Running("--rate-format", 1) as server:
            for item in (KETTLE, STREET, UNKNOWN):
                texts = server.choices(request(item, n=64))
                self.assertEqual([text for text in texts if complete(text, item)], [])
                self.assertGreaterEqual(len(set(texts)), 13)
            texts = server.choices(request(KETTLE, n=64, response_format={"type": "json_schema"}))
        for text in texts:
            try:
                value = json.loads(text)
                lines = value["explanations"]
                good = value["key_information"] and [line["option"] for line in lines] == ["A", "B", "C"] and \
                    all(line["because"] and type(line["correct"]) is bool for line in lines) and \
                    sum(line["correct"] for line in lines) == 1
            except (ValueError, KeyError, TypeError):
                good = False
            self.assertFalse(good, text)

    def test_disagree(self):
        with Running("--rate-disagree", 1) as server:
            for item, truth in ((KETTLE, 0), (UNKNOWN, 3)):
                for text in server.choices(request(item, truth, n=16)):
                    _, lines = complete(text, item)
                    self.assertNotEqual(answer_of(text), truth)
                    if item is KETTLE:
                        self.assertTrue(all(specific.endswith(": right." if correct else ": wrong.")
                                            for _, correct, specific in lines), text)

    def test_false(self):
        with Running("--rate-false", 1) as server:
            for text in server.choices(request(KETTLE, n=16)):
                general, lines = complete(text, KETTLE)
                self.assertEqual(answer_of(text), 0)
                self.assertNotIn("boiling water", general + lines[0][2])
                self.assertNotIn("climbing", lines[1][2])
                self.assertNotIn("guarding money", lines[2][2])
                self.assertTrue(lines[0][2].startswith("A kettle ") and lines[0][2].endswith(": right."), text)
            self.assertTrue(all(complete(text, UNKNOWN) for text in server.choices(request(UNKNOWN, n=16))))

    def test_length(self):
        with Running("--rate-length", 1) as server:
            for limit, reason in ((256, "length"), (511, "length"), (512, "stop"), (None, "stop")):
                _, _, value = server.ask(request(KETTLE, max_tokens=limit))
                for choice in value["choices"]:
                    self.assertEqual(choice["finish_reason"], reason)
                    self.assertEqual(complete(choice["message"]["content"], KETTLE) is None or
                                     choice["message"]["content"][-1] != ".", reason == "length")
        with Running() as server:
            _, _, value = server.ask(request(KETTLE, n=1, max_tokens=10))
            self.assertEqual(len(value["choices"][0]["message"]["content"].split()), 10)
            self.assertEqual(value["choices"][0]["finish_reason"], "length")

    def test_rates(self):
        with Running("--rate-disagree", 0.3) as server:
            wrong = 0
            for number in range(10):
                texts = server.choices(request(dict(UNKNOWN, question=f"Question {number}?"), n=100))
                wrong += sum(answer_of(text) != 0 for text in texts)
        self.assertTrue(230 <= wrong <= 370, wrong)  # 1,000 draws: 300, deviation 14.5


class RequestFaults(unittest.TestCase):
    def first_and_second(self, name, *options):
        """What the first and the second time of one request bring: (status, headers, body) or an exception."""
        found = []
        with Running(f"--rate-{name}", 1, "--fault-times", 1, *options) as server:
            for _ in range(2):
                try:
                    server.connection.request("POST", "/v1/chat/completions", json.dumps(request(KETTLE)))
                    response = server.connection.getresponse()
                    found.append((response.status, response.headers, response.read()))
                except (http.client.HTTPException, ConnectionError) as error:
                    found.append(error)
                    server.connection.close()
            _, _, counts = server.ask(None, "/counts", "GET")
        self.assertEqual(found[1][0], 200)
        self.assertTrue(complete(json.loads(found[1][2])["choices"][1]["message"]["content"], KETTLE))
        self.assertEqual((counts["requests"], counts["faults"]), (2, {name: 1}))
        self.assertEqual(counts["answered"], 2 if name == "slow" else 1)
        return found[0]

    def test_statuses(self):
        for name, kind in (("429", "requests"), ("500", "server_error"), ("503", "server_error")):
            status, headers, body = self.first_and_second(name, "--retry-after", 7)
            self.assertEqual(status, int(name))
            error = json.loads(body)["error"]
            self.assertEqual(sorted(error), ["code", "message", "param", "type"])
            self.assertEqual(error["type"], kind)
            self.assertEqual(headers["Retry-After"], "7" if name == "429" else None)

    def test_retry_after_date(self):
        _, headers, _ = self.first_and_second("429", "--retry-after-date", "--retry-after", 100)
        self.assertTrue(headers["Retry-After"].endswith(" GMT"))
        wait = email.utils.parsedate_to_datetime(headers["Retry-After"]).timestamp() - time.time()
        self.assertTrue(80 < wait <= 102, wait)

    def test_broken_connections(self):
        for options in ((), ("--chunked",)):
            self.assertIsInstance(self.first_and_second("close", *options),
                                  (http.client.RemoteDisconnected, ConnectionError))
            self.assertIsInstance(self.first_and_second("cut", *options), http.client.IncompleteRead)

    def test_bodies(self):
        _, _, body = self.first_and_second("empty")
        self.assertEqual(json.loads(body)["choices"], [])
        _, _, body = self.first_and_second("refusal")
        self.assertEqual([c["message"]["content"] for c in json.loads(body)["choices"]], [None, None])
        start = time.monotonic()
        self.first_and_second("slow", "--slow-seconds", 0.4)
        self.assertGreaterEqual(time.monotonic() - start, 0.4)

    def test_malformed(self):
        with Running("--rate-malformed", 1) as server:
            for number in range(40):
                server.connection.request("POST", "/v1/chat/completions",
                                          json.dumps(request(dict(UNKNOWN, question=f"Question {number}?"))))
                body = server.connection.getresponse().read()
                with self.assertRaises((ValueError, KeyError, TypeError), msg=body):
                    json.loads(body)["choices"][0]["message"]["content"]

    def test_rates(self):
        with Running("--rate-429", 0.1, "--rate-500", 0.2) as server:
            for number in range(600):
                server.ask(request(dict(UNKNOWN, question=f"Question {number}?"), n=1))
            attempts = 1
            while server.ask(request(KETTLE))[0] != 200:
                attempts += 1
            by_status = server.ask(None, "/counts", "GET")[2]["by_status"]
        self.assertLess(attempts, 20)
        self.assertTrue(30 <= by_status["429"] <= 90, by_status)  # 60, deviation 7.3
        self.assertTrue(80 <= by_status["500"] <= 160, by_status)  # 120, deviation 9.8


class Manners(unittest.TestCase):
    def refused(self, body, status, param, *options, headers=None):
        with Running(*options) as server:
            got, _, value = server.ask(body, headers=headers)
            self.assertEqual((got, value["error"]["param"]), (status, param), value)
            self.assertEqual(server.ask(None, "/counts", "GET")[2]["answered"], 0)
        return value["error"]

    def test_parameters(self):
        self.refused(request(KETTLE, n=2), 400, "n", "--no-n")
        error = self.refused(request(KETTLE), 400, "max_tokens", "--max-completion-tokens")
        self.assertTrue(error["message"].startswith("Unsupported parameter: 'max_tokens'"))
        self.assertIn("Use 'max_completion_tokens' instead", error["message"])
        self.refused(request(KETTLE), 400, "temperature", "--no-temperature")
        self.refused(request(KETTLE, response_format={"type": "json_schema"}), 400, "response_format",
                     "--no-response-format")
        with Running("--no-n", "--max-completion-tokens", "--no-temperature", "--no-response-format") as server:
            good = request(KETTLE, n=1, temperature=1, max_completion_tokens=256)
            del good["max_tokens"]
            self.assertEqual(answer_of(server.choices(good)[0]), 0)

    def test_bad_requests(self):
        for change, param in (({"n": 0}, "n"), ({"n": True}, "n"), ({"n": 129}, "n"), ({"max_tokens": 0}, "max_tokens"),
                              ({"temperature": "hot"}, "temperature"), ({"messages": []}, "messages"),
                              ({"messages": [{"role": "user", "content": "Hello"}]}, "messages"),
                              ({"messages": [{"role": "user", "content": "Q?\nOptions: A. one"}]}, "messages"),
                              ({"stream": True}, "stream"), ({"model": ""}, None)):
            self.refused(request(KETTLE, **change), 400, param)
        self.refused(["no object"], 400, None)

    def test_key_and_model(self):
        self.assertIsNone(self.refused(request(KETTLE), 401, None, "--key", "sk-secret")["code"])
        error = self.refused(request(KETTLE), 401, None, "--key", "sk-secret",
                             headers={"Authorization": "Bearer sk-other-key"})
        self.assertEqual(error["code"], "invalid_api_key")
        self.assertEqual(self.refused(request(KETTLE), 404, None, "--model", "big")["code"], "model_not_found")
        with Running("--key", "sk-secret", "--model", "big") as server:
            headers = {"Authorization": "Bearer sk-secret"}
            self.assertEqual(server.ask(request(KETTLE, model="big"), headers=headers)[0], 200)
            self.assertEqual(server.ask(None, "/v1/models", "GET", headers)[2]["data"][0]["id"], "big")
            self.assertEqual(server.ask(None, "/v1/models", "GET")[0], 401)

    def test_thoughts(self):
        with Running("--reasoning", "--think") as server:
            _, _, value = server.ask(request(KETTLE))
        message = value["choices"][0]["message"]
        self.assertIn("Explanations:", message["reasoning_content"])
        thought, _, text = message["content"].partition("</think>")
        self.assertTrue(thought.startswith("<think>") and "is correct. Because" in thought)
        self.assertTrue(complete(text.strip(), KETTLE))

    def test_limits(self):
        with Running("--rpm", 60, "--burst", 2) as server:
            got = [server.ask(request(KETTLE)) for _ in range(3)]
            self.assertEqual([status for status, _, _ in got], [200, 200, 429])
            headers = got[2][1]
            self.assertEqual(headers["x-ratelimit-limit-requests"], "60")
            self.assertEqual(headers["x-ratelimit-remaining-requests"], "0")
            self.assertRegex(headers["x-ratelimit-reset-requests"], r"^(\d+(\.\d)?s|\d+ms)$")
            self.assertEqual(headers["Retry-After"], "1")
            time.sleep(1.1)
            self.assertEqual(server.ask(request(KETTLE))[0], 200)
        with Running("--tpm", 1000) as server:  # 2 x 256 and the prompt: one fits
            got = [server.ask(request(KETTLE)) for _ in range(2)]
            self.assertEqual([status for status, _, _ in got], [200, 429])
            self.assertEqual(got[1][2]["error"]["type"], "tokens")
            self.assertIn("x-ratelimit-reset-tokens", got[1][1])


class Transport(unittest.TestCase):
    def test_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            with Running("--latency-ms", 300, "--count", f"{folder}/counts.json") as server:
                def ask():
                    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
                    connection.request("POST", "/v1/chat/completions", json.dumps(request(KETTLE)))
                    connection.getresponse().read()
                    connection.close()
                threads = [threading.Thread(target=ask) for _ in range(6)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                gone = socket.create_connection(("127.0.0.1", server.port))
                body = json.dumps(request(STREET)).encode()
                gone.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                time.sleep(0.1)
                gone.close()
                time.sleep(0.5)
            with open(f"{folder}/counts.json", encoding="utf-8") as file:
                counts = json.load(file)
        self.assertEqual(counts["requests"], 7)
        self.assertEqual(counts["answered"], 6)
        self.assertEqual(counts["by_status"], {"200": 6, "client gone": 1})
        self.assertEqual(counts["per_question"],
                         {"Anna wants tea. What does Anna need?\nOptions: A. kettle, B. rope, C. safe": 6})
        self.assertGreaterEqual(counts["most_in_flight"], 2)

    def test_one_connection(self):
        for options in ((), ("--chunked",)):
            with Running(*options) as server:
                body = json.dumps(request(KETTLE)).encode()
                with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
                    raw.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                                b"Content-Length: %d\r\n\r\n" % len(body))
                    self.assertEqual(raw.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
                    raw.sendall(body)
                    for _ in range(2):
                        response = http.client.HTTPResponse(raw)
                        response.begin()
                        self.assertEqual(len(json.loads(response.read())["choices"]), 2)
                        raw.sendall(b"POST /v1/chat/completions?x=1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                                    b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (9, body[:9], len(body) - 9, body[9:]))
                self.assertEqual(server.ask(None, "/elsewhere", "GET")[0], 404)
                self.assertEqual(server.ask(None, method="GET")[0], 405)
                with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
                    raw.sendall(b"what is this\n\r\n\r\n")
                    self.assertEqual(raw.recv(100), b"")

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
                            "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                           check=True, capture_output=True)
            with Running("--tls", cert, key) as server:
                for trusted in (True, False):
                    context = ssl.create_default_context(cafile=cert if trusted else None)
                    server.connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context)
                    if trusted:
                        self.assertEqual(server.ask(request(KETTLE))[0], 200)
                        server.connection.close()
                    else:
                        self.assertRaises(ssl.SSLCertVerificationError, server.ask, request(KETTLE))

    def test_batch(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/in.jsonl", "w", encoding="utf-8") as file:
                for number in range(30):
                    file.write(json.dumps({"custom_id": f"q{number}", "method": "POST", "url": "/v1/chat/completions",
                                           "body": request(dict(KETTLE, id=number))}) + "\n")
            subprocess.run([sys.executable, f"{HERE}/server.py", "--answers", ANSWERS, "--rate-close", "0.2",
                            "--batch", f"{folder}/in.jsonl", f"{folder}/out.jsonl"], check=True)
            with open(f"{folder}/out.jsonl", encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
        names = [line["custom_id"] for line in lines]
        self.assertEqual(sorted(names), sorted(f"q{number}" for number in range(30)))
        self.assertNotEqual(names, [f"q{number}" for number in range(30)])
        done = [line for line in lines if line["error"] is None]
        self.assertTrue(all(line["response"]["status_code"] == 200 for line in done))
        self.assertTrue(0 < len(done) < 30, len(done))

    def test_command_line(self):
        for options, words in ((["--rate-429", "1.5"], "--rate-429: expected a number from 0 to 1, got 1.5"),
                               (["--rate-429", "nan"], "--rate-429: expected a number from 0 to 1, got nan"),
                               (["--rate-429", "0.6", "--rate-cut", "0.6"], "add up to more than 1"),
                               (["--answers", "/nowhere"], "No such file"), (["--answers", __file__], ":1:")):
            result = subprocess.run([sys.executable, f"{HERE}/server.py", *options], capture_output=True, text=True)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(words, result.stderr)
            self.assertNotIn("Traceback", result.stderr)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as shared:
        ANSWERS = f"{shared}/answers.jsonl"
        with open(ANSWERS, "w", encoding="utf-8") as answers_file:
            answers_file.writelines(json.dumps(item) + "\n" for item in (KETTLE, STREET, PLAIN))
        unittest.main()
