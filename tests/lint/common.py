"""What the lints share: finding source files, looking at C without its comments and strings, and saying
what is wrong where. A lint is run as `lint_x ROOT BUILD`, says nothing and exits 0, or prints one line
`file:line: what would be right` for each finding and exits 1."""
import os
import re
import subprocess
import sys

FOLDERS = ("core", "transport-sim", "transport-tcp", "store", "trace", "vibenode", "scenarios",
           "vibesim", "tests", "examples")


class Lint:
    def __init__(self):
        if len(sys.argv) != 3:
            sys.exit(f"usage: {os.path.basename(sys.argv[0])} ROOT BUILD")
        self.root, self.build = (os.path.abspath(p) for p in sys.argv[1:])
        self.findings = []

    def say(self, path, line, text):
        where = os.path.relpath(path, self.root) if os.path.isabs(path) else path
        self.findings.append((where, line, text))

    def finish(self):
        for where, line, text in sorted(set(self.findings)):
            print(f"{where}:{line}: {text}")
        sys.exit(1 if self.findings else 0)

    def files(self, folders=FOLDERS, ends=(".c", ".h")):
        """Paths relative to the root, sorted."""
        found = []
        for folder in folders:
            for at, below, names in os.walk(os.path.join(self.root, folder)):
                below[:] = [d for d in below if not d.startswith((".", "build", "__"))]
                found += [os.path.relpath(os.path.join(at, n), self.root)
                          for n in names if n.endswith(tuple(ends))]
        return sorted(found)

    def committed(self):
        """What git has, or, outside a checkout, every file but the build's."""
        try:
            out = subprocess.run(["git", "-C", self.root, "ls-files", "-z"], check=True,
                                 capture_output=True, text=True).stdout
            names = [n for n in out.split("\0") if n]
        except (OSError, subprocess.CalledProcessError):
            names = []
        if names:
            return sorted(n for n in names if os.path.isfile(os.path.join(self.root, n)))
        found = []
        for at, below, files in os.walk(self.root):
            below[:] = [d for d in below if d not in (".git", "build", "__pycache__")]
            found += [os.path.relpath(os.path.join(at, n), self.root) for n in files]
        return sorted(found)

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read()


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def code_of(text, keep_strings=False):
    """The text with comments, and the insides of strings unless kept, turned into blanks: every
    character stays where it was."""

    def hide(match):
        token = match.group()
        if token.startswith("/"):
            return blank(token)
        return token if keep_strings else token[0] + " " * (len(token) - 2) + token[-1]

    return _TOKEN.sub(hide, text)


def without_preprocessor(code):
    """Blanks directives, continuation lines included."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: blank(m.group()), code, flags=re.M)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Function:
    """name, static, first and last line, body's offsets."""

    def __init__(self, name, static, first, last, start, end):
        self.name, self.static, self.first, self.last = name, static, first, last
        self.start, self.end = start, end


def functions(code):
    """Function definitions of code_of()'s text, by the house's braces: both in the first column."""
    found, code = [], without_preprocessor(code)
    for match in re.finditer(r"^\{\n(.*?)^\}", code, re.M | re.S):
        before = code[:match.start()].rstrip()
        if not before.endswith(")"):
            continue
        depth, at = 0, len(before) - 1
        while at >= 0:
            depth += (before[at] == ")") - (before[at] == "(")
            if depth == 0:
                break
            at -= 1
        end = len(before[:at].rstrip())
        begin = end
        while begin > 0 and (before[begin - 1].isalnum() or before[begin - 1] == "_"):
            begin -= 1
        if begin == end:
            continue
        head_start = max(before.rfind(c, 0, begin) for c in ";}") + 1
        head = before[head_start:at]
        first = line_of(code, head_start + len(head) - len(head.lstrip()))
        found.append(Function(before[begin:end], bool(re.search(r"\bstatic\b", head)), first,
                              line_of(code, match.end()), match.start(), match.end()))
    return found


def run(command):
    """stdout, or None with the reason on stderr."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{' '.join(command)}: {getattr(error, 'stderr', '') or error}", file=sys.stderr)
        return None
