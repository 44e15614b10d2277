"""Mutants of the core: small changes of its source, made by rules, each of which the shipped scenarios
should notice.

Classes:

  rule        one check of the rules B1..B10 and T1..T4 no longer refuses
  item        one item of PROTOCOL-0.1 section 4 is broken as protocol.txt says
  constant    one constant of PROTOCOL-0.1 sections 5 and 6 that protocol.txt names: up to 100 it is one
              more, above, and where it is a time, twice as much
  transition  one entry of the table of legal states is gone, or one change of a state is left out
  release     one statement is left out that gives back memory, a slot, a timer, a place in a count that is
              kept (not one that a function counts down for itself)
  flip        drawn at random of all conditions: an operator becomes its neighbour or its contrary, an `if` is
              turned round, a number is one more. Not < to <= where the smaller of two is picked, for
              that is the same

A mutant's key is its file, its function, the changed lines as they were and as they are: no line number, so
that it stays what it is while the code around it changes. Its name is the class and a hash of the key, and
the draw is by a hash of seed and key: a change of the core moves the mutants of the lines it touches and
no others.

Audits (core/base/audit.h) are like assertions: they notice mutants, and are none."""
import hashlib
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "lint"))
from common import blank, code_of, functions, line_of, without_preprocessor  # noqa: E402

CLASSES = ("rule", "item", "constant", "transition", "release", "flip")
FLIPS = 100  # drawn by default


class Refused(Exception):
    """The sources or the table do not fit: what, where, and what to do about it."""


class Source:
    """A file of the core: its text, its code without comments, strings and directives, its functions."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8") as file:
            self.text = file.read()
        self.code = without_preprocessor(code_of(self.text))
        self.functions = functions(code_of(self.text))

    def function_at(self, offset):
        for f in self.functions:
            if f.start <= offset < f.end:
                return f.name
        return "-"

    def function(self, name):
        found = [f for f in self.functions if f.name == name]
        return found[0] if len(found) == 1 else None


class Mutant:
    def __init__(self, kind, source, start, end, new, says, function=None):
        self.kind, self.source, self.start, self.end, self.new, self.says = kind, source, start, end, new, says
        self.path = source.path
        self.line = line_of(source.text, start)
        self.function = function or source.function_at(start)
        head = source.text.rfind("\n", 0, start) + 1
        tail = source.text.find("\n", end)
        self.old = " ".join(source.text[head:tail].split())
        self.becomes = " ".join((source.text[head:start] + new + source.text[end:tail]).split())
        self.nth = 1
        self.seal()

    def seal(self):
        again = f" #{self.nth}" if self.nth > 1 else ""
        self.key = f"{self.path} {self.function}: {self.old} => {self.becomes}{again}"
        self.name = f"{self.kind}-{hashlib.sha256(self.key.encode()).hexdigest()[:8]}"

    def text(self):
        return self.source.text[:self.start] + self.new + self.source.text[self.end:]

    def rank(self, seed):
        return hashlib.sha256(f"{seed} {self.key}".encode()).digest()

    def as_dict(self):
        return {"name": self.name, "class": self.kind, "file": self.path, "line": self.line,
                "function": self.function, "was": self.old, "becomes": self.becomes, "says": self.says,
                "key": self.key}


def sources_of(root):
    paths = []
    for at, below, names in os.walk(os.path.join(root, "core")):
        below.sort()
        paths += [os.path.relpath(os.path.join(at, name), root) for name in sorted(names)
                  if name.endswith((".c", ".h"))]
    return {path: Source(root, path) for path in paths}


def closing(code, opening):
    """The offset of the bracket that closes the one at `opening`."""
    depth = 0
    for at in range(opening, len(code)):
        depth += (code[at] in "([{") - (code[at] in ")]}")
        if depth == 0:
            return at
    raise Refused(f"no bracket closes the one at offset {opening}")


# ---- rules ----

def rules(sources):
    """`if (c) return RULE_X;` and `c ? RULE_OK : RULE_X` no longer name the rule."""
    for source in sources.values():
        if not source.path.startswith("core/chain/rules_"):
            continue
        for match in re.finditer(r"\bif \(", source.code):
            opening = match.end() - 1
            end = closing(source.code, opening)
            rule = re.match(r"\)\s*return (RULE_([BT]\d+)_\w+);", source.code[end:])
            if rule:
                cond = source.text[opening + 1:end]
                yield Mutant("rule", source, opening + 1, end, f"0 && ({cond})", f"{rule.group(2)} {rule.group(1)}")
        for match in re.finditer(r"\? RULE_OK : (RULE_([BT]\d+)_\w+)", source.code):
            yield Mutant("rule", source, match.start(1), match.end(1), "RULE_OK",
                         f"{match.group(2)} {match.group(1)}")


# ---- the table ----

def table_entries(path):
    """(kind, number, file, function, what it says, old, new) of each block of protocol.txt."""
    with open(path, encoding="utf-8") as file:
        blocks = re.split(r"\n\s*\n", re.sub(r"^#.*\n", "", file.read(), flags=re.M))
    for block in blocks:
        lines = block.strip().split("\n")
        if lines == [""]:
            continue
        head = re.fullmatch(r"(item|constant) (\S+) (core/\S+) (\S+): (.+)", lines[0])
        if not head:
            raise Refused(f"{path}: '{lines[0]}' is no head: kind number file function: what")
        parts = {"-": [], "+": []}
        for line in lines[1:]:
            if line[:2] not in ("- ", "+ "):
                raise Refused(f"{path}: '{line}' begins with neither '- ' nor '+ '")
            parts[line[0]].append(line[2:])
        old, new = "\n".join(parts["-"]), "\n".join(parts["+"])
        if not old or (head.group(1) == "item") != bool(new):
            raise Refused(f"{path}: '{lines[0]}': an item needs what was and what becomes, a constant what was")
        yield head.groups() + (old, new)


def find_anchor(source, name, old):
    """Where the words of `old` stand, once in that function ('-': in the file), however they are broken
    into lines."""
    text, low = source.text, 0
    if name != "-":
        f = source.function(name)
        if not f:
            raise Refused(f"{source.path}: no single function {name}")
        low, text = f.start, text[:f.end]
    words = r"\s+".join(re.escape(word) for word in old.split())
    found = list(re.compile(words).finditer(text, low))
    if len(found) != 1:
        raise Refused(f"{source.path}: {name}: '{old}' stands there {len(found)} times, must be once: put protocol.txt "
                      "right")
    return found[0]


def bigger(number, time):
    value = int(number.rstrip("uU"))
    return str(value + 1 if value <= 100 and not time else value * 2) + number[len(number.rstrip("uU")):]


def protocol(sources):
    for kind, number, path, name, says, old, new in table_entries(os.path.join(HERE, "protocol.txt")):
        if path not in sources:
            raise Refused(f"protocol.txt: {number}: there is no {path}")
        source = sources[path]
        at = find_anchor(source, name, old)
        if kind == "item":
            kept = "\n" * (at.group().count("\n") - new.count("\n"))
            yield Mutant(kind, source, at.start(), at.end(), new + kept, f"{number} {says}")
            continue
        digits = list(re.finditer(r"(?<![\w.])\d+u?\b(?!\.)", at.group()))
        if len(digits) != 1:
            raise Refused(f"protocol.txt: '{old}' has {len(digits)} numbers, must be one")
        start = at.start() + digits[0].start()
        time = re.search(r"\* (S|MS)\b|_S\b", at.group()) is not None
        yield Mutant(kind, source, start, at.start() + digits[0].end(), bigger(digits[0].group(), time),
                     f"{number} {says}")


# ---- states ----

def transitions(sources):
    source = sources["core/peer/peer.c"]
    table = re.search(r"\blegal\[VN_PEER_STATES\]\[VN_PEER_STATES\] = \{", source.code)
    if not table:
        raise Refused("core/peer/peer.c: the table of legal states is gone: put mutation.py right")
    opening = table.end() - 1
    body = source.code[opening + 1:closing(source.code, opening)]
    for row in re.finditer(r"\[VN_PEER_(\w+)\] = \{", body):
        low = opening + 1 + row.end()
        for entry in re.finditer(r"\[VN_PEER_(\w+)\] = (true)", source.code[low:closing(source.code, low - 1)]):
            yield Mutant("transition", source, low + entry.start(2), low + entry.end(2), "false",
                         f"{row.group(1)} to {entry.group(1)}", f"legal[{row.group(1)}]")
    for source in sources.values():
        for start, end, call in statements(source):
            if call == "net_set_state":
                yield Mutant("transition", source, start, end, without(source.text[start:end]), "left out")


# ---- releases ----

RELEASES = re.compile(
    r"free|\w*_(free|unref|deinit|drop\w*|give|give_back|giveback|release|released|remove|clear|disarm|leave)|drop|release|"
    r"\w*_errands_end|net_unidentify|part_drop|lane_clear|free_if_empty|free_empty_orphans|release_taken")


def without(statement):
    """A statement that does nothing, over as many lines."""
    return "(void)0;" + "\n" * statement.count("\n")


def statements(source):
    """(start, end, called function) of each statement that is one call, and (..., "--") of those that take
    from a count."""
    call = re.compile(r"(?<=[;{})\n:])\s*\b(\w+)\(")
    for f in source.functions:
        if "audit" in f.name:
            continue
        for match in call.finditer(source.code, f.start, f.end):
            start = match.start(1)
            before = source.code[:start].rstrip()
            if not begins_statement(before):
                continue
            end = closing(source.code, match.end() - 1) + 1
            if source.code[end:end + 1] == ";" and match.group(1) not in ("if", "while", "for", "switch", "return",
                                                                          "assert", "sizeof"):
                yield start, end + 1, match.group(1)
        less = re.compile(r"(--[^;{}=]+|[\w>.*()\[\]-]+?--|[\w>.\[\]/ -]+? (-=|&= ~)[^;{}]+);")
        for match in less.finditer(source.code, f.start, f.end):
            start = match.start()
            while source.code[start].isspace():
                start += 1
            kept = re.search(r"->|[.*\[]", re.split(r"[-&]=", match.group())[0].replace("--", ""))
            if kept and depth_at(source.code, f.start, start) == 0 and begins_statement(source.code[:start].rstrip()):
                yield start, match.end(), "--"


def depth_at(code, low, at):
    return code.count("(", low, at) - code.count(")", low, at)


def begins_statement(before):
    """Does a statement begin behind this text? Behind `)` only as the body of an `if`, a `for`, a `while`."""
    if before.endswith(")"):
        depth = 0
        for at in range(len(before) - 1, -1, -1):
            depth += (before[at] == ")") - (before[at] == "(")
            if depth == 0:
                return re.search(r"\b(if|for|while) $", before[:at]) is not None
    return before.endswith((";", "{", "}", ":")) or re.search(r"\b(else|do)$", before) is not None


def releases(sources):
    for source in sources.values():
        for start, end, call in statements(source):
            if call == "--" or RELEASES.fullmatch(call):
                yield Mutant("release", source, start, end, without(source.text[start:end]), "left out")


# ---- flips ----

NEIGHBOUR = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
CONTRARY = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
            "+": "-", "-": "+"}
OPERATOR = re.compile(r"->|<<=?|>>=?|\+\+|--|[-+*/&|^%]=|<=|>=|==|!=|&&|\|\||[<>]|[-+]|!")


def asserted(source):
    """The code without its assertions: they are no conditions of the protocol."""
    code = source.code
    for match in re.finditer(r"\b_?(?:Static_)?assert\(", code):
        end = closing(code, match.end() - 1)
        code = code[:match.start()] + blank(code[match.start():end]) + code[end:]
    return code


def conditions(code, f):
    """The extents of what is asked by if, while, for, ?: and return."""
    for match in re.finditer(r"\b(if|while|for) \(", code[f.start:f.end]):
        opening = f.start + match.end() - 1
        end = closing(code, opening)
        if match.group(1) == "for":
            first = code.find(";", opening)
            yield "for", first + 1, code.find(";", first + 1)
        else:
            yield match.group(1), opening + 1, end
    for match in re.finditer(r"\breturn\b([^;{}]*);", code[f.start:f.end]):
        yield "return", f.start + match.start(1), f.start + match.end(1)
    for match in re.finditer(r"[=(,]([^;{}=(,]*)\?", code[f.start:f.end]):
        yield "?", f.start + match.start(1), f.start + match.end(1)


def binary(code, at):
    before = code[:at].rstrip()
    return bool(before) and (before[-1].isalnum() or before[-1] in "_)]") and not before.endswith("return")


TERM = r"[\w.>\[\]-]+(?:\([^()]*\))?"
SMALLER = (re.compile(rf"({TERM}) (?:[<>]=?) ({TERM}) \? (?:\1 : \2|\2 : \1)(?![\w.(>\[-])"),
           re.compile(rf"if \((?:[^;{{}}]*&& )?({TERM}) (?:[<>]=?) ({TERM})\)\s+(?:\1 = \2|\2 = \1);"))


def same_at_equality(code):
    """Where the operators stand that pick the smaller or the larger of two: `a < b ? a : b`, `if (a > b) a = b`. Of
    equal ones it is the same which is picked, so that there < and <= cannot be told apart."""
    return {match.end(1) + 1 for form in SMALLER for match in form.finditer(code)}


def flips_in(source, code, low, high, picks):
    for match in OPERATOR.finditer(code, low, high):
        op, start, end = match.group(), match.start(), match.end()
        if op == "!":
            yield Mutant("flip", source, start, end, "", "! is gone")
        elif op in CONTRARY and (op not in "+-" or binary(code, start)):
            if op in NEIGHBOUR and start not in picks:
                yield Mutant("flip", source, start, end, NEIGHBOUR[op], f"{op} to {NEIGHBOUR[op]}")
            yield Mutant("flip", source, start, end, CONTRARY[op], f"{op} to {CONTRARY[op]}")
    for match in re.finditer(r"(?<![\w.])\d+u?\b(?![.\w])", code[low:high]):
        new = str(int(match.group().rstrip("u")) + 1) + ("u" if match.group().endswith("u") else "")
        yield Mutant("flip", source, low + match.start(), low + match.end(), new, f"{match.group()} to {new}")


def flips(sources):
    for source in sources.values():
        code = asserted(source)
        picks = same_at_equality(code)
        for f in source.functions:
            if "audit" in f.name:
                continue
            for word, low, high in conditions(code, f):
                yield from flips_in(source, code, low, high, picks)
                if word == "if":
                    cond = source.text[low:high]
                    yield Mutant("flip", source, low, high, f"!({cond})", "turned round")


# ---- all of them ----

def everything(root=ROOT):
    """All mutants, by class in the order of the sources. Two of equal lines are told apart by a number."""
    sources = sources_of(root)
    found = {}
    for kind, make in (("rule", rules), ("protocol", protocol), ("transition", transitions), ("release", releases),
                       ("flip", flips)):
        seen, places = {}, set()
        for mutant in make(sources):
            place = (mutant.path, mutant.start, mutant.end, mutant.new)
            if place in places:
                continue
            places.add(place)
            mutant.nth = seen[mutant.key] = seen.get(mutant.key, 0) + 1
            mutant.seal()
            found.setdefault(mutant.kind, []).append(mutant)
    check_complete(found)
    return found


def check_complete(found):
    named = {kind: {m.says.split()[0] for m in found.get(kind, [])} for kind in ("rule", "item")}
    wanted = {"rule": [f"B{n}" for n in range(1, 11)] + [f"T{n}" for n in range(1, 5)],
              "item": [f"4.{n}" for n in range(1, 13)]}
    for kind, names in wanted.items():
        missing = [name for name in names if name not in named[kind]]
        if missing:
            raise Refused(f"no mutant of the {kind} {', '.join(missing)}")
    for kind in CLASSES:
        if not found.get(kind):
            raise Refused(f"no mutant of the class {kind}")


def chosen(found, seed, flip_count):
    """Every mutant of every class but `flip`, those of headers last, since they cost most; the first flip_count of
    those by rank; and the rest of them, for those that turn out to be none."""
    fixed = [m for kind in CLASSES if kind != "flip" for m in found[kind]]
    fixed.sort(key=lambda m: m.path.endswith(".h"))
    drawn = sorted(found["flip"], key=lambda m: m.rank(seed))
    return fixed, drawn[:flip_count], drawn[flip_count:]
