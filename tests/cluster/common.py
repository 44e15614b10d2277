"""For tests of packaging/cluster: a folder of the test's own with two small scenarios in it, the sweep as one
process makes it, and whether what came of shards equals it."""
import atexit
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

PATIENCE = int(os.environ.get("VN_PATIENCE", "240"))
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
CLUSTER = os.path.join(ROOT, "packaging", "cluster")
SWEEP = ["first-contact.lua", "failing.lua", "--seeds", "1..12"]

# A check that fails for one seed in three, and what must happen sometimes: with 12 seeds it does.
FAILING = """\
scenario { name = "failing", about = "Fails now and then.", duration = 10 }
function run(net)
  net:spawn(2)
  sleep(1)
  sometimes("an even number", math.random(1000) % 2 == 0)
  check(math.random(1000) % 3 ~= 0, "no number of three")
end
"""


class Failed(Exception):
    pass


def want(condition, text):
    if not condition:
        raise Failed(text)


def folder_with_scenarios():
    """Becomes the current folder; removed at the end."""
    folder = tempfile.mkdtemp(prefix="vibenet-cluster-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copy(os.path.join(ROOT, "scenarios", "first-contact.lua"), folder)
    with open(os.path.join(folder, "failing.lua"), "w") as f:
        f.write(FAILING)
    os.chdir(folder)
    return folder


def make_whole(vibesim):
    """The sweep by one process alone: whole.db."""
    done = subprocess.run([vibesim, "sweep", *SWEEP, "--db", "whole.db"], capture_output=True, text=True)
    want(done.returncode == 1 and "FAIL" in done.stdout, f"the sweep by itself: {done}")
    return done.stdout


def rows(db, plans):
    """All that must be equal; the plan and its id know how many shards there are."""
    want(os.path.exists(db), f"{db} is not there")
    with sqlite3.connect(db) as c:
        runs = c.execute("SELECT job, scenario, seed, params, build, trace_hash, verdict, reason, file, options"
                         " FROM run ORDER BY job").fetchall()
        checks = c.execute("SELECT job, name, kind, ok, c.t_ns, detail FROM run JOIN check_result c ON run_id = id"
                           " ORDER BY job, c.rowid").fetchall()
        sweeps = c.execute("SELECT shard, shards, complete FROM sweep ORDER BY shard").fetchall()
    want(sweeps == [(i + 1, plans, 1) for i in range(plans)], f"{db} holds the shards {sweeps}")
    return runs, checks


def want_equal(merged, shards):
    want(rows(merged, shards) == rows("whole.db", 1), f"{merged} and whole.db differ")


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        want(time.monotonic() < end, f"in {PATIENCE} s it did not come: {what}")
        time.sleep(0.2)


def main(check):
    """Runs it with the program under test; one line and status 1 if it fails."""
    try:
        check(os.path.abspath(sys.argv[1]))
    except Failed as failed:
        print(f"{os.path.basename(sys.argv[0])}: {failed}")
        sys.exit(1)
