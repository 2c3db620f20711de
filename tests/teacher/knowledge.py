"""What the teacher knows and how it words it: the text of a choice, from a question file or by rule.

A choice is a pure function of (seed, question, options, retry round, number of the choice): never of the
order of requests, of time or of faults on the way. All draws are hashes of these.
"""

import json
import re
from functools import lru_cache
from hashlib import blake2b

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
USUAL_MAX_TOKENS = 256  # of the first round; a round with another limit is another round

# Wordings that mean the same (datasets/everyday/world.yaml). The name says what kind of fact they state.
HEADS = ["The right thing ", "Look for something that ", "One needs a thing that ", "It must be one that "]
PREDICATES = [
    ("use", ["is used for ", "is good for ", "serves for "]),
    ("place", ["is kept ", "is found ", "belongs "]),
    ("material", ["is made of ", "consists of "]),
    ("part", ["has ", "comes with "]),
    ("kind", ["is a ", "counts as a "]),
    ("kind", ["is an ", "counts as an "]),
]
VERDICT = re.compile(r": \w+\.$")  # ": right." at the end of a fact

LEAD_INS = ["Think of this: ", "Here is the point: ", "To begin with, ", "For this question: ",
            "It comes down to this: ", "Put simply, ", "Before anything else: ", "One fact decides it: ",
            "In other words, ", "Keep this in mind: ", "Everyday life shows: ", "The short version: "]

# For questions that are not in the file; {a} and {b} are words of the question, {o} is an option.
RULE_GENERAL = [
    "The question turns on {a}, and on how people usually meet it.",
    "What matters here is {a} together with {b}.",
    "Everyday experience with {b} settles this more than any rule.",
    "One should picture {a} first and only then compare the choices.",
    "In ordinary life {a} comes with clear expectations about {b}.",
    "A careful reader keeps {b} in mind from beginning to end.",
    "Most children learn about {a} early, by watching others do it.",
    "It is the word {b} that narrows down which of them can be meant.",
    "Nobody needs to be an expert to know what {a} requires.",
    "Common sense links {a} and {b} in one way much more than in others.",
    "Ask yourself where {b} would be seen on a normal day.",
    "There is a typical cause behind {a}, and a typical result.",
    "People who deal with {b} every week would answer at once.",
    "Compare each choice with {a}, one after the other, and see what is left.",
    "Whatever has no connection to {b} can be ruled out quickly.",
    "Only a single one of these goes naturally with {a}, as a rule.",
]
RULE_RIGHT = [
    "{o} goes with {a} wherever one looks.",
    "people who think of {a} soon think of {o}.",
    "{o} is what {b} leads to in practice.",
    "nothing on the list is closer to {a} than {o}.",
    "{o} does exactly what {b} calls for.",
    "anyone who has met {a} has met {o} too.",
]
RULE_WRONG = [
    "{o} has little to do with {a}.",
    "{o} belongs to another situation than {b}.",
    "{a} can be had without {o}.",
    "people rarely mention {o} and {b} in one breath.",
    "{o} would not help with {a}.",
    "{o} answers what nobody asked about {b}.",
]
FEW_CLUES = {"about", "after", "against", "because", "before", "could", "every", "might", "other", "really", "should",
             "something", "their", "there", "these", "those", "usually", "where", "which", "while", "would"}
ELSEWHERE = ["granite", "teapots", "moonlight", "carpets", "parsley", "trombones", "glaciers", "buttons"]

BROKEN = ["no label before the key information", "label in bold", "no line of explanations",
          "verdict without a full stop", "no correct option", "two correct options", "an option left out",
          "an option that does not exist", "no word between verdict and explanation", "an explanation of no words",
          "list marks", "no text", "another verdict", "an apology"]


def draw(*parts):
    """64 bits that follow from the parts alone."""
    text = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def chance(rate, *parts):
    return rate > 0 and draw(*parts) < rate * 2**64


def one_line(text):
    return " ".join(text.split())


def options_line(options):
    return ", ".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options))


class BadQuestion(Exception):
    """The request asks nothing that a teacher could answer; the message says what is missing."""


class Asked:
    """The question of a request: question, options, believed (index of the primed option, or None)."""

    def __init__(self, text):
        lines = text.splitlines()
        at = max((i for i, line in enumerate(lines) if line.startswith("Options:")), default=None)
        if at is None:
            raise BadQuestion("the last user message has no line 'Options: A. ..., B. ...'")
        start = max((i + 1 for i in range(at) if lines[i].strip() == "###"), default=0)
        self.question = one_line(" ".join(lines[start:at]))
        self.options_line = one_line(lines[at][len("Options:"):])
        self.options = split_options(self.options_line)
        if not self.question:
            raise BadQuestion("the last user message has no question before its options")
        if len(self.options) < 2:
            raise BadQuestion(f"expected at least two options 'A. ..., B. ...', got '{self.options_line}'")
        primed = re.search(r"\b([A-Z]) is correct\.", "\n".join(lines[at + 1:]))
        self.believed = LETTERS.index(primed[1]) if primed else None
        if self.believed is not None and self.believed >= len(self.options):
            raise BadQuestion(f"option {primed[1]} is primed as correct, but there are {len(self.options)} options")
        self.text = f"{self.question}\nOptions: {self.options_line}"
        self.orders = {}  # what all choices of a retry round share, by its name

    def shared(self, name, make):
        if name not in self.orders:
            self.orders[name] = make()
        return self.orders[name]


def split_options(line):
    """'A. bank, B. library' -> ['bank', 'library']; an option may contain commas."""
    options, rest = [], ", " + line
    for letter in LETTERS:
        mark = f", {letter}. "
        if options:
            head, found, tail = rest.partition(mark)
            if not found:
                break
            options[-1], rest = head.strip(), tail
        elif rest.startswith(mark):
            rest = rest[len(mark):]
        else:
            return []
        options.append(rest)
    return [option.strip() for option in options]


def split_predicate(text):
    """'is used for baking: right.' -> ('use', 'is used for ', 'baking: right.')"""
    for kind, phrases in PREDICATES:
        for phrase in phrases:
            if text.startswith(phrase):
                return kind, phrase, text[len(phrase):]
    return "other", "", text


def kind_of(text):
    """Kind of fact that a predicate states; 'and' if it states several."""
    return split_predicate(text)[0] + (" and" if " and " in text else "")


def without_head(general):
    return general[len(next((head for head in HEADS if general.startswith(head)), "")):]


def same_predicates(text):
    """The text itself first, then the other wordings of its predicate."""
    _, phrase, rest = split_predicate(text)
    phrases = next((p for _, p in PREDICATES if phrase in p), [phrase])
    return [text] + [other + rest for other in phrases if other != phrase]


def split_subject(option, text):
    """'A ladder is tall: wrong.' -> ('A ladder ', 'is tall: wrong.'); ('', text) if it begins otherwise."""
    begin = re.match(r"(?:an?|the|some)? ?" + re.escape(option) + " ", text, re.IGNORECASE)
    return (begin[0], text[begin.end():]) if begin else ("", text)


@lru_cache(maxsize=2**16)
def fact_wordings(option, text):
    """The text itself, then the other wordings of what it says about the option."""
    subject, predicate = split_subject(option, text)
    return [subject + wording for wording in same_predicates(predicate)] if subject else [text]


def other_wordings(general):
    head = next((h for h in HEADS if general.startswith(h)), None)
    if head is None:
        return [general]
    predicates = same_predicates(general[len(head):])
    return [h + p for p in predicates for h in HEADS]


def with_lead_ins(text, number, lead_ins):
    """Number 1, 2, ... counts through one lead-in, then through two of them, and so on."""
    while number > 0:
        number, digit = divmod(number - 1, len(lead_ins))
        text = lead_ins[digit] + text[0].lower() + text[1:]
    return text


class Choice:
    """general, specific (of each option), answer (index of the option said to be correct)"""

    def __init__(self, general, specific, answer):
        self.general, self.specific, self.answer = general, specific, answer


class Knowledge:
    """Answers of a question file, and the facts that they state."""

    def __init__(self, seed, path=None):
        self.seed = seed
        self.answers = {}  # text of the question with its options: (gold, reasonings)
        self.facts = {}  # kind of fact: list of (option, predicate without verdict)
        self.known = {}  # option: set of (kind, value)
        self.generals = {}  # kind of fact: list of general texts
        if path:
            self._read(path)

    def _read(self, path):
        facts, generals = {}, {}
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    item = json.loads(line)
                    options = [one_line(option) for option in item["options"]]
                    key = f"{one_line(item['question'])}\nOptions: {options_line(options)}"
                    reasonings = item.get("reasoning") or []
                    for reasoning in reasonings:
                        if "specific" in reasoning and len(reasoning["specific"]) != len(options):
                            raise ValueError("'specific' has another length than 'options'")
                    gold = int(item["gold"])
                except (ValueError, KeyError, TypeError) as error:
                    raise ValueError(f"{path}:{number}: {type(error).__name__}: {error}") from None
                kept = []
                for reasoning in reasonings:
                    specific = [one_line(text) for text in reasoning.get("specific", [])]
                    general = one_line(reasoning.get("general", ""))
                    kept.append((general, specific, reasoning.get("answer", gold)))
                    generals.setdefault(kind_of(without_head(general)), {})[general] = True
                    for option, text in zip(options, specific):
                        predicate = VERDICT.sub(".", split_subject(option, text)[1])
                        kind, _, value = split_predicate(predicate)
                        facts.setdefault(kind_of(predicate), {})[option, predicate] = True
                        self.known.setdefault(option, set()).add((kind, value))
                self.answers[key] = (gold, kept)
        self.facts = {kind: list(found) for kind, found in facts.items()}
        self.generals = {kind: list(filter(None, found)) for kind, found in generals.items()}

    def choice(self, asked, round_, number, rates):
        """Choice `number` of a question in a retry round; rates has `disagree` and `false`."""
        key = (self.seed, asked.text, round_, number)
        gold, reasonings = self.answers.get(asked.text, (asked.believed, []))
        if not reasonings:
            answer = gold if gold is not None else draw("answer", self.seed, asked.text) % len(asked.options)
            if chance(rates["disagree"], "disagree", *key):
                answer = self._another(asked, answer, key)
            choice = self._by_rule(asked, round_, number, answer)
        else:
            choice = self._from_file(asked, reasonings, round_, number)
            if chance(rates["disagree"], "disagree", *key):
                self._disagree(asked, choice, key)
        if rates["false"] > 0:
            self._falsify(asked, choice, rates["false"], key)
        return choice

    def _another(self, asked, answer, key):
        return (answer + 1 + draw("another", *key) % (len(asked.options) - 1)) % len(asked.options)

    def _pool(self, asked, reasonings, round_):
        """Two lists of (general text, number of its reasoning).

        The first has the file's own reasonings, in the first round at its head, and other wordings of their
        general texts. The second has each of its general texts once.
        """
        key = (self.seed, asked.text, round_)
        originals = [(general, source) for source, (general, _, _) in enumerate(reasonings)
                     if reasonings[source] not in reasonings[:source]]
        known = {general for general, _ in originals}
        fresh = {general: source for own, source in originals
                 for general in other_wordings(own) if general not in known}

        def shuffled(items):
            return sorted(items, key=lambda item: draw("order", *key, item[0]))

        pool = originals + shuffled(fresh.items())
        if round_ != "":
            pool = shuffled(pool)
        return pool, list(dict(pool).items())

    def _led_in(self, asked, round_, text, number):
        if number == 0:
            return text
        lead_ins = asked.shared(("lead-ins", round_), lambda: sorted(
            LEAD_INS, key=lambda words: draw("lead-in", self.seed, asked.text, round_, words)))
        return with_lead_ins(text, number, lead_ins)

    def _from_file(self, asked, reasonings, round_, number):
        """Each entry of the pool, then each general text with a lead-in, then with two."""
        key = (self.seed, asked.text, round_)
        pool, generals = asked.shared(("pool", round_), lambda: self._pool(asked, reasonings, round_))
        if 0 <= number < len(pool):
            times, (general, source) = 0, pool[number]
        else:
            times, place = divmod(abs(number - len(pool)), len(generals))
            times, (general, source) = times + 1, generals[place]
        _, specific, answer = reasonings[source]
        if times > 0 or general != reasonings[source][0]:
            specific = [self._reworded(option, text, *key, number, i)
                        for i, (option, text) in enumerate(zip(asked.options, specific))]
        by_rule = None if general and specific else self._by_rule(asked, round_, number, answer)
        if general:
            general = self._led_in(asked, round_, general, times)
        return Choice(general or by_rule.general, list(specific) or by_rule.specific, answer)

    def _reworded(self, option, text, *key):
        wordings = fact_wordings(option, text)
        return wordings[draw("wording", *key) % len(wordings)] if len(wordings) > 1 else text

    def _by_rule(self, asked, round_, number, answer):
        key = (self.seed, asked.text, round_)
        words = [word for word in re.findall(r"[^\W\d_]{4,}", asked.question.lower()) if word not in FEW_CLUES]
        words = sorted(dict.fromkeys(words), key=len, reverse=True)
        a, b = (words + ["the question", "the choices"])[:2]
        templates = asked.shared(("templates", round_), lambda: sorted(
            RULE_GENERAL, key=lambda text: draw("general", *key, text)))
        general = templates[number % len(templates)].format(a=a, b=b)
        general = self._led_in(asked, round_, general, abs(number) // len(templates))
        specific = []
        for i, option in enumerate(asked.options):
            texts = RULE_RIGHT if i == answer else RULE_WRONG
            specific.append(texts[draw("specific", *key, number, i) % len(texts)].format(a=a, b=b, o=option))
        return Choice(general, specific, answer)

    def _disagree(self, asked, choice, key):
        """Another option is said to be correct; the words of the verdict in the facts follow."""
        other = self._another(asked, choice.answer, key)
        texts = choice.specific
        found = [VERDICT.search(texts[i]) for i in (choice.answer, other)]
        if all(found):
            texts[choice.answer] = texts[choice.answer][:found[0].start()] + found[1][0]
            texts[other] = texts[other][:found[1].start()] + found[0][0]
        choice.answer = other

    def _falsify(self, asked, choice, rate, key):
        """Each text alone, with probability `rate`, states what is true of another thing."""
        if chance(rate, "false general", *key):
            pool = self.generals.get(kind_of(without_head(choice.general))) if asked.text in self.answers else []
            others = [pool[draw("general of", *key, i) % len(pool)] for i in range(20 if pool else 0)]
            own = choice.general.lower()  # maybe with a lead-in
            others = [text for text in others if not any(own.endswith(w.lower()) for w in other_wordings(text))]
            template = RULE_GENERAL[draw("general of", *key) % len(RULE_GENERAL)]
            a, b = (ELSEWHERE[draw(name, *key) % len(ELSEWHERE)] for name in ("a", "b"))
            choice.general = others[0] if others else template.format(a=a, b=b)
        for i, option in enumerate(asked.options):
            if chance(rate, "false", *key, i):
                choice.specific[i] = self._false_fact(asked, i, choice.specific[i], key)

    def _false_fact(self, asked, i, text, key):
        option = asked.options[i]
        subject, predicate = split_subject(option, text)
        verdict = VERDICT.search(text)
        pool = self.facts.get(kind_of(predicate), []) if subject and option in self.known else []
        for attempt in range(20 if pool else 0):
            other, fact = pool[draw("fact of", *key, i, attempt) % len(pool)]
            kind, _, value = split_predicate(fact)
            if other != option and (kind, value) not in self.known[option]:
                return subject + (fact[:-1] + verdict[0] if verdict and fact.endswith(".") else fact)
        other = ELSEWHERE[draw("fact of", *key, i) % len(ELSEWHERE)]
        return subject + f"has to do with {other}" + (verdict[0] if verdict else ".") if subject else \
            RULE_WRONG[draw("fact", *key, i) % len(RULE_WRONG)].format(a=other, b=other, o=option)


def explanations(choice):
    return [[LETTERS[i], i == choice.answer, text] for i, text in enumerate(choice.specific)]


def line_of(letter, correct, because):
    return f"{letter} is {'correct' if correct else 'incorrect'}. Because {because}"


def as_text(choice):
    lines = [line_of(*line) for line in explanations(choice)]
    return f"Key Information: {choice.general}\nExplanations: " + "\n".join(lines)


def as_object(choice):
    return {"key_information": choice.general,
            "explanations": [{"option": letter, "correct": correct, "because": because}
                             for letter, correct, because in explanations(choice)]}


def as_json(choice):
    return json.dumps(as_object(choice), ensure_ascii=False)


def broken_explanations(lines, kind, drawn):
    """Faults that both formats share: what the explanations say, not how they are written."""
    wrong = [line for line in lines if not line[1]]
    chosen = wrong[drawn % len(wrong)]
    if kind == "no correct option":
        for line in lines:
            line[1] = False
    elif kind == "two correct options":
        chosen[1] = True
    elif kind == "an option left out":
        lines.remove(chosen)
    elif kind == "an option that does not exist":
        chosen[0] = LETTERS[len(lines) % len(LETTERS)]
    elif kind == "an explanation of no words":
        chosen[2] = ""


def broken_text(choice, number, drawn):
    kind = BROKEN[number]
    lines = explanations(choice)
    broken_explanations(lines, kind, drawn)
    label, between = "Key Information: ", "\nExplanations: "
    lines = [line_of(*line).strip() for line in lines]
    if kind == "no label before the key information":
        label = ""
    elif kind == "label in bold":
        label, between = "**Key Information:** ", "\n**Explanations:** "
    elif kind == "no line of explanations":
        between = "\n"
    elif kind == "verdict without a full stop":
        lines = [line.replace("correct. ", "correct ", 1) for line in lines]
    elif kind == "no word between verdict and explanation":
        lines = [line.replace(". Because ", ". ", 1) for line in lines]
    elif kind == "list marks":
        between, lines = "\nExplanations:\n", ["- " + line for line in lines]
    elif kind == "another verdict":
        lines = [line.replace("is incorrect.", "is not correct.").replace("is correct.", "is the answer.")
                 for line in lines]
    elif kind == "no text":
        return ""
    elif kind == "an apology":
        return "I'm sorry, but I can't help with that."
    return label + choice.general + between + "\n".join(lines)


def broken_json(choice, number, drawn):
    kind = BROKEN[number]
    lines = explanations(choice)
    broken_explanations(lines, kind, drawn)
    value = {"key_information": choice.general,
             "explanations": [{"option": letter, "correct": correct, "because": because}
                              for letter, correct, because in lines]}
    if kind == "no label before the key information":
        del value["key_information"]
    elif kind == "label in bold":
        return broken_text(choice, number, drawn)
    elif kind == "no line of explanations":
        del value["explanations"]
    elif kind == "verdict without a full stop":
        return json.dumps(value)[:-2]
    elif kind == "no word between verdict and explanation":
        for line in value["explanations"]:
            del line["because"]
    elif kind == "list marks":
        value = [value]
    elif kind == "another verdict":
        for line in value["explanations"]:
            line["correct"] = "yes" if line["correct"] else "no"
    elif kind == "no text":
        return ""
    elif kind == "an apology":
        return "I'm sorry, but I can't help with that."
    return json.dumps(value, ensure_ascii=False)


class Teacher:
    """Turns a request into the texts of its choices. rates: length, format, false, disagree."""

    def __init__(self, knowledge, rates, think=False):
        self.knowledge, self.rates, self.think = knowledge, rates, think

    def content(self, asked, round_, number, structured, max_tokens):
        """(text, finish_reason, number of words) of one choice."""
        choice = self.knowledge.choice(asked, round_, number, self.rates)
        key = (self.knowledge.seed, asked.text, round_, number)
        if chance(self.rates["format"], "format", *key):
            broken = broken_json if structured else broken_text
            text = broken(choice, draw("broken", *key) % len(BROKEN), draw("line", *key))
        else:
            text = as_json(choice) if structured else as_text(choice)
        if self.think:
            text = f"<think>\n{self.thoughts(asked)}\n</think>\n\n{text}"
        reason = "stop"
        if max_tokens is not None:
            if max_tokens < 2 * USUAL_MAX_TOKENS and chance(self.rates["length"], "length", *key):
                text, reason = text[:len(text) * (30 + draw("cut", *key) % 60) // 100], "length"
            elif len(text.split()) > max_tokens:
                words = list(re.finditer(r"\S+", text))
                text, reason = text[:words[max_tokens].start()].rstrip(), "length"
        return text, reason, len(text.split())

    def thoughts(self, asked):
        """Looks like an answer and is none: who parses it gets a wrong one."""
        letter = LETTERS[draw("thought", self.knowledge.seed, asked.text) % len(asked.options)]
        return (f"Key Information: not thought over yet.\nExplanations: {letter} is correct. Because that is "
                "what came to mind first. Let me look at each option again.")
