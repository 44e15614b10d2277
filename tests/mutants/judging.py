"""Is a mutant noticed? The shipped scenarios are run with its program, the cheap ones first, with few seeds before many.

Noticed is what ends with another status than 0: a check that fails, books that do not add up, an assertion, a crash, what a
sanitizer finds, or a run that takes much longer or much more memory than it does unchanged. Another trace hash alone is
nothing. The cheapest scenarios are run with --audit in the plain build: books are looked at after whatever happens to a
node."""
import glob
import hashlib
import math
import os
import resource
import signal
import subprocess
import threading

from mutation import ROOT, Refused

SKIPPED = 77  # vibesim's status of a scenario that cannot be run here

CHEAP_S = 1.5  # a scenario that takes no longer is asked before those that do
AUDITED_S = 2.5  # and one that takes no longer with audits is audited
MEMORY = 4 << 30
SLOWER, SLACK_S = 10, 4  # a run may compute so many times as long, and so much more
WAITS = 20  # a sweep may last so many times as long as it would compute, for the machine may be busy


def scenario_files():
    return sorted(os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, "scenarios", "*.lua"))
                  if not path.endswith(".d.lua"))


def digest(paths):
    total = hashlib.sha256()
    for path in sorted(paths):
        with open(os.path.join(ROOT, path), "rb") as file:
            total.update(path.encode() + b"\0" + hashlib.sha256(file.read()).digest())
    return total.hexdigest()[:16]


def computed_s():
    of = resource.getrusage(resource.RUSAGE_CHILDREN)
    return of.ru_utime + of.ru_stime


def below(folder, ends):
    found = []
    for at, _, names in os.walk(os.path.join(ROOT, folder)):
        found += [os.path.relpath(os.path.join(at, name), ROOT) for name in names if name.endswith(ends)]
    return found


class Judge:
    def __init__(self, programs, seeds):
        """programs: the unchanged ones by base, which must hold."""
        self.files = scenario_files()
        self.seeds = seeds
        self.behaviours = digest(below("scenarios/behaviours", ".lua"))
        self.of_file = {file: digest([file]) + self.behaviours for file in self.files}
        self.all_files = digest(self.files) + self.behaviours
        self.programs, self.took, self.lock = programs, {}, threading.Lock()
        self.audited = set()
        cost = {file: self.unchanged("plain", file) for file in self.files}
        self.files = [file for file in self.files if cost[file] is not None]
        self.cheap = [file for file in self.files if cost[file] <= CHEAP_S]
        for file in self.cheap:
            self.audit(file)
        self.files.sort(key=lambda file: self.unchanged("plain", file))
        self.cheap.sort(key=lambda file: self.unchanged("plain", file))

    def audit(self, file):
        """From now on the plain build audits it, if that is cheap as well."""
        unaudited = self.took.pop(("plain", file))
        self.audited.add(file)
        if self.unchanged("plain", file) > AUDITED_S:
            self.audited.remove(file)
            self.took["plain", file] = unaudited

    def ways(self, base, file):
        return ("--audit",) if base == "plain" and file in self.audited else ()

    def unchanged(self, base, file):
        """Seconds that the scenario computes with the unchanged core, with which it must hold; None if it is skipped, since
        it needs what only its caller can give. What else runs meanwhile is counted too: most are looked at before
        anything does."""
        with self.lock:
            if (base, file) not in self.took:
                before = computed_s()
                how = self.run(base, self.programs[base], file, 1, 600, self.ways(base, file))
                if how == "skipped":
                    self.took[base, file] = None
                    return None
                if how:
                    raise Refused(f"{file} does not hold with the unchanged core ({base}): {how}")
                self.took[base, file] = computed_s() - before
            return self.took[base, file]

    @staticmethod
    def run(base, program, file, seeds, limit_s, more=()):
        """None if the scenario holds over the seeds 1..seeds, each of which may compute limit_s, else how it ended."""
        which = ["--seed", "1"] if seeds == 1 else ["--seeds", f"1..{seeds}", "--jobs", "1"]
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=0:hard_rss_limit_mb=4000:allocator_may_return_null=1")

        def bounded():
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s))
            if base == "plain":
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

        child = subprocess.Popen([program, "run", file, *which, "--record", "none", "--quiet", *more], cwd=ROOT, env=env,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 start_new_session=True, preexec_fn=bounded)
        try:
            status = child.wait(WAITS * limit_s * seeds)
        except subprocess.TimeoutExpired:
            return "time"
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL) # what is left of it, a sweep's runs too
            except ProcessLookupError:
                pass
            child.wait()
        return None if status == 0 else {1: "check", -6: "assertion", -9: "time", -24: "time", SKIPPED: "skipped"}.get(status, f"status {status}")

    def limit_s(self, base, file):
        return math.ceil(SLOWER * self.unchanged(base, file)) + SLACK_S

    def stages(self, kind):
        """(base, scenarios, seeds), the cheapest that may tell first."""
        cheap, dear = self.cheap, [file for file in self.files if file not in self.cheap]
        yield "plain", cheap, 1
        if kind == "release":  # mostly they leak
            yield "sanitized", cheap, 1
        yield "plain", dear, 1
        more = sorted({seeds for seeds in (5, 50, self.seeds) if 1 < seeds <= self.seeds})
        for seeds in more:
            yield "plain", cheap, seeds
            yield "plain", dear, seeds
            if seeds == more[0]:
                yield "sanitized", cheap + dear, 1

    def judge(self, mutant, bases, folder):
        """A result: verdict killed (by which scenario, base, seeds, and how), survived, build, same."""
        programs = {}
        for base, files, seeds in self.stages(mutant.kind):
            if base not in programs:
                programs[base] = bases[base].build(mutant, os.path.join(folder, base))
                if programs[base] in ("build", "same"):
                    return {"verdict": programs[base]}
            for file in files:
                how = self.run(base, programs[base], file, seeds, self.limit_s(base, file), self.ways(base, file))
                if how:
                    return {"verdict": "killed", "scenario": file, "base": base, "seeds": seeds, "how": how,
                            "scenario_is": self.of_file[file]}
        return {"verdict": "survived", "seeds": self.seeds, "scenario_is": self.all_files}

    def all_killers(self, mutant, base, folder, name):
        """Every scenario that notices it with seed 1 in the build `base`, named so; of those that cost much only in the plain one."""
        program = base.build(mutant, os.path.join(folder, name))
        files = self.files if name == "plain" else self.cheap
        return [file for file in files
                if self.run(name, program, file, 1, self.limit_s(name, file), self.ways(name, file))]

    def still_stands(self, result, core):
        """Does an earlier result need no new run?"""
        if result["core"] != core:
            return False
        if result["verdict"] == "killed":
            return self.of_file.get(result["scenario"]) == result["scenario_is"]
        if result["verdict"] == "survived":
            return result["scenario_is"] == self.all_files and result["seeds"] >= self.seeds
        return True
