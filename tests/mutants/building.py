"""Programs of mutants. A base is a build of vibesim like any other; a mutant's program is the base's with the objects
made anew that read the changed file. The changed file lies in a folder of its own, which comes before the root where
includes are looked for: the checkout is only read."""
import json
import os
import re
import shlex
import shutil
import subprocess
import threading

from mutation import ROOT, Refused

BASES = {
    # With the assertions, and quick to compile.
    "plain": ["-D", "CMAKE_BUILD_TYPE=Release", "-D", "CMAKE_C_FLAGS_RELEASE=-O1"],
    # What is not given back, or used after it was, is seen here alone.
    "sanitized": ["-D", "CMAKE_BUILD_TYPE=Debug", "-D", "CMAKE_C_FLAGS_DEBUG=-O1 -g1", "-D", "VN_SANITIZE=ON"],
}


FEW = 8  # objects that are compared with what they were; more of them are taken to differ


def make_base(name, folder, jobs):
    """Configures and builds vibesim in folder."""
    steps = (["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", "-D", "VN_TESTS=OFF", *BASES[name]],
             ["cmake", "--build", folder, "--target", "vibesim", "-j", str(jobs)])
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        if done.returncode != 0:
            raise Refused(f"{' '.join(step)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def ninja(folder, *args):
    done = subprocess.run(["ninja", "-C", folder, "-t", *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused(f"ninja -t {' '.join(args)} in {folder}: {done.stderr}")
    return done.stdout


class Base:
    """A build folder in which vibesim is built."""

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        link = ninja(self.folder, "commands", "bin/vibesim").strip().split("\n")[-1]
        words = shlex.split(link)
        if words[:2] != [":", "&&"] or words[-2:] != ["&&", ":"]:
            raise Refused(f"{folder}: this is no command that links vibesim: {link}")
        self.link = words[2:-2]
        self.program = os.path.join(self.folder, "bin/vibesim")
        with open(os.path.join(self.folder, "compile_commands.json"), encoding="utf-8") as file:
            entries = json.load(file)
        inputs = set(ninja(self.folder, "inputs", "bin/vibesim").split())
        self.objects = {}  # of vibesim: object to (source from the root, command)
        for entry in entries:
            command = shlex.split(entry["command"])
            at = command.index("-o")
            name = command[at + 1]
            if name in inputs:
                self.objects[name] = (os.path.relpath(entry["file"], ROOT), command[:at] + command[at + 2:])
        self.readers = self._readers()
        self.unchanged, self.lock = {}, threading.Lock()

    def _readers(self):
        """File, from the root, to the objects that read it."""
        readers, name = {}, None
        for line in ninja(self.folder, "deps").split("\n"):
            head = re.match(r"(\S+): #deps \d+", line)
            if head:
                name = head.group(1)
            elif line.startswith("    ") and name in self.objects:
                path = os.path.normpath(os.path.join(self.folder, line.strip()))
                readers.setdefault(os.path.relpath(path, ROOT), []).append(name)
        return readers

    def _compile(self, name, over, out):
        source, command = self.objects[name]
        changed = os.path.join(over, source)
        command = [word for word in command if word != "-Werror" and not word.startswith("-g")]
        at = command.index("-c")
        command[at + 1] = changed if os.path.exists(changed) else os.path.join(ROOT, source)
        command[1:1] = ["-I" + over]
        command += ["-w", "-g0", f"-ffile-prefix-map={over}/=", "-o", out]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True).returncode == 0

    def _as_it_was(self, name, mutant, folder):
        """The object of the unchanged file, made in the same way."""
        with self.lock:
            if name not in self.unchanged:
                self.unchanged[name] = self._object(name, mutant.path, mutant.source.text, os.path.join(folder, "was.o"))
            return self.unchanged[name]

    def _object(self, name, path, text, out):
        """The bytes of an object made with `text` in the place of the file; None if it does not compile."""
        over = os.path.join(os.path.dirname(out), "over")
        changed = os.path.join(over, path)
        os.makedirs(os.path.dirname(changed), exist_ok=True)
        with open(changed, "w", encoding="utf-8") as file:
            file.write(text)
        return read(out) if self._compile(name, over, out) else None

    def build(self, mutant, folder):
        """The program of a mutant (None: the unchanged one, linked in the same way), in folder. Returns its
        path, or "build" if it does not compile, or "same" if the compiler makes the same of it."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        names = self.readers.get(mutant.path, []) if mutant else []
        made, same = {}, mutant is not None and len(names) <= FEW
        for number, name in enumerate(names):
            out = os.path.join(folder, f"{number}.o")
            now = self._object(name, mutant.path, mutant.text(), out)
            if now is None:
                return "build"
            same = same and now == self._as_it_was(name, mutant, folder)
            made[name] = out
        return "same" if same else self._link(made, folder)

    def _link(self, made, folder):
        program = os.path.join(folder, "vibesim")
        command, before = [], False
        for word in self.link:
            if word.endswith(".a") and not before:
                command += [path for name, path in made.items() if name not in self.link]
                before = True  # what is defined here is not taken from the archives
            command.append(made.get(word, word))
        command[command.index("-o") + 1] = program
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        return program if done.returncode == 0 else "build"


def read(path):
    with open(path, "rb") as file:
        return file.read()
