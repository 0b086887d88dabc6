"""Mutants of a scope, compiled all at once.

`cargo mutants` says which mutants there are, and would build the workspace anew for each. Here each function carries all
of its mutants, and a variable of the environment says which one is at work: a scope is built once, and a mutant costs
one run of the tests, up to the first that fails. A mutant that does not compile is taken out again, as `cargo mutants`
takes it out. The few that cannot be woven in, in constants and behind `impl Trait`, are built one by one.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

KILLED_PERCENT_MIN = 95
CHOSEN = "COUNTERSIGN_MUTANT"
CHOOSER = f"""
#[doc(hidden)]
pub fn chosen_mutant() -> u32 {{
    extern crate std;
    static CHOSEN: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *CHOSEN.get_or_init(|| std::env::var("{CHOSEN}").ok().and_then(|number| number.parse().ok()).unwrap_or(0))
}}
"""


def end(running):
    """Ends a test and every process that it began."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)


class Source:
    """A file, and the mutants of each of its functions."""

    def __init__(self, path, is_root):
        self.path, self.is_root = path, is_root
        self.original = self.text = path.read_text()
        self.starts = [0]
        for line in self.text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.functions = {}

    def range(self, span):
        return tuple(self.starts[span[end]["line"] - 1] + span[end]["column"] - 1 for end in ("start", "end"))

    def add(self, number, mutant):
        function = self.range(mutant["function"]["span"])
        self.functions.setdefault(function, []).append((number, *self.range(mutant["span"]), mutant["replacement"]))

    def alone(self, mutant):
        begin, end = self.range(mutant["span"])
        return self.original[:begin] + mutant["replacement"] + self.original[end:]

    def body(self, function):
        """Where the block of a function begins: at the brace that its last one closes."""
        depth = 0
        for at in range(function[1] - 1, function[0] - 1, -1):
            depth += {"}": 1, "{": -1}.get(self.text[at], 0)
            if depth == 0:
                return at
        raise SystemExit(f"{self.path}: a function without a block")

    def woven(self, without):
        """The text with all mutants in it, and which lines are whose."""
        parts, lines, at, line = [], [], 0, 1

        def put(text):
            nonlocal line
            parts.append(text)
            line += text.count("\n")

        for function in sorted(self.functions):
            mutants = [mutant for mutant in self.functions[function] if mutant[0] not in without]
            if not mutants:
                continue
            block = self.body(function)
            put(self.text[at:function[0]])
            put(re.sub(r"\bconst fn\b", "fn", self.text[function[0]:block], count=1))
            put("{ match crate::chosen_mutant() {\n")
            for number, begin, end, replacement in mutants:
                first = line
                put(f"{number} => {self.text[block:begin]}{replacement}{self.text[end:function[1]]}\n")
                lines.append((first, line - 1, number))
            put(f"_ => {self.text[block:function[1]]}\n}} }}")
            at = function[1]
        put(self.text[at:] + (CHOOSER if self.is_root else ""))
        return "".join(parts), lines

    def loosen(self, line):
        """The function around a line cannot be constant any more: it calls one that has mutants."""
        above = "".join(self.path.read_text().splitlines(keepends=True)[:line])
        heads = re.findall(r"const fn \w+", above)
        if not heads or heads[-1] not in self.text:
            return False
        self.text = self.text.replace(heads[-1], heads[-1].replace("const", "     "))
        return True


class Scope:
    def __init__(self, name, spec, tree, target, only):
        self.name, self.spec, self.tree = name, spec, tree
        self.env = os.environ | {
            "CARGO_TARGET_DIR": str(target), "CARGO_PROFILE_DEV_DEBUG": "false", "CARGO_INCREMENTAL": "1",
            "CARGO_TERM_PROGRESS_WHEN": "never", "PROPTEST_FAILURE_PERSISTENCE": "off",
        }
        listed = ["cargo", "mutants", "--workspace", "--list", "--json"]
        listed += [word for file in spec["files"] for word in ("--file", file)]
        listed += [word for file in spec.get("except", []) for word in ("--exclude", file)]
        found = subprocess.run(listed, cwd=tree, env=self.env, check=True, stdout=subprocess.PIPE).stdout
        self.mutants = dict(enumerate((m for m in json.loads(found) if not only or m["file"] in only), 1))
        self.sources, self.places, self.out, self.alone = {}, {}, set(), []
        for number, mutant in self.mutants.items():
            root = mutant["file"].split("/src/")[0] + "/src/lib.rs"
            for file in (mutant["file"], root):
                if file not in self.sources:
                    self.sources[file] = Source(tree / file, file == root)
            if mutant["function"] and "impl " not in (mutant["function"]["return_type"] or ""):
                self.sources[mutant["file"]].add(number, mutant)
            else:
                self.alone.append(number)

    def build(self):
        """Builds the tests: their binaries, or the errors."""
        binaries = []
        for arguments in self.spec["build"]:
            command = ["cargo", "test", "--no-run", "--message-format=json", *arguments]
            done = subprocess.run(command, cwd=self.tree, env=self.env, capture_output=True, text=True)
            said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            if done.returncode != 0:
                told = [message["message"] for message in said if message["reason"] == "compiler-message"]
                return [], [message for message in told if message["level"] == "error"] or [done.stderr]
            binaries += [m["executable"] for m in said if m.get("executable") and m["profile"]["test"]]
        return list(dict.fromkeys(binaries)), []

    def weave(self):
        """Builds all mutants at once, without those that do not compile."""
        while True:
            for source in self.sources.values():
                text, self.places[source.path] = source.woven(self.out)
                source.path.write_text(text)
            binaries, errors = self.build()
            if not errors:
                return binaries
            if not any([self.blame(error) for error in errors if isinstance(error, dict)]):
                raise SystemExit(f"{self.name} does not build: {errors[0]}")

    def blame(self, error):
        """Finds what an error is due to; says whether it did."""
        is_const = (error["code"] or {}).get("code") == "E0015"
        found, spans, told = False, [], [error]
        while told:
            message = told.pop()
            told += message["children"]
            spans += message["spans"]
        for span in spans:
            path = self.tree / span["file_name"]
            if is_const:
                file = self.sources.setdefault(span["file_name"], Source(path, False))
                found |= span["is_primary"] and file.loosen(span["line_start"])
                continue
            guilty = {mutant for first, last, mutant in self.places.get(path, []) if first <= span["line_start"] <= last}
            found |= bool(guilty)
            self.out |= guilty
        return found

    def run(self, number, binaries, limit_s):
        """Runs the tests up to the first that fails."""
        env = self.env | {CHOSEN: str(number)}
        for binary in binaries:
            running = subprocess.Popen(
                [binary, *self.spec.get("test", [])], cwd=self.tree / self.spec["cwd"], env=env,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            )
            clock = threading.Timer(limit_s, end, [running])
            clock.start()
            failed = any(line.rstrip().endswith(b"... FAILED") for line in running.stdout)
            if failed:
                end(running)
            running.stdout.close()
            status = running.wait()
            clock.cancel()
            if failed or status != 0:
                return True
        return False

    def run_alone(self, number, limit_s):
        """Builds one mutant as `cargo mutants` does; `None` when it does not compile."""
        mutant = self.mutants[number]
        source = self.sources[mutant["file"]]
        source.path.write_text(source.alone(mutant))
        binaries, errors = self.build()
        source.path.write_text(source.original)
        return None if errors else self.run(0, binaries, limit_s)

    def judge(self, jobs):
        """Runs all mutants; says whether enough of them are killed."""
        began = time.monotonic()
        binaries = self.weave()
        for source in self.sources.values():
            source.path.write_text(source.original)
        woven = [n for n in self.mutants if n not in self.out and n not in self.alone]
        tested = time.monotonic()
        if self.run(0, binaries, 1800):
            raise SystemExit(f"{self.name}: the tests fail without a mutant")
        limit_s = max(60, 20 * (time.monotonic() - tested))
        with ThreadPoolExecutor(jobs) as pool:
            killed = dict(zip(woven, pool.map(lambda number: self.run(number, binaries, limit_s), woven)))
        killed |= {number: self.run_alone(number, limit_s) for number in self.alone}
        viable = {number: found for number, found in killed.items() if found is not None}
        for number in sorted(number for number, found in viable.items() if not found):
            print(f"survives: {self.mutants[number]['name']}")
        dead, all_of_them = sum(viable.values()), max(1, len(viable))
        percent, took_s = 100 * dead / all_of_them, time.monotonic() - began
        print(f"{self.name}: {len(self.mutants)} mutants, {len(viable)} compile, {dead} killed, {percent:.1f} %, {took_s:.0f} s")
        sys.stdout.flush()
        return percent >= KILLED_PERCENT_MIN or not viable


def copied(tree):
    """A copy of the workspace as it is, committed or not."""
    said = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], check=True, stdout=subprocess.PIPE)
    files = [Path(name) for name in said.stdout.decode().split("\0") if name and Path(name).is_file()]
    if tree.exists():
        shutil.rmtree(tree)
    for file in files:
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, tree / file)


def main():
    target, jobs, asked = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    scopes = tomllib.loads(Path("tests/mutants/scopes.toml").read_text())
    files = {word for word in asked if word.endswith(".rs")}
    names = [word for word in asked if word not in files and word != "all"]
    if wrong := [word for word in names if word not in scopes]:
        raise SystemExit(f"no scope {wrong[0]}; there are: {', '.join(scopes)}")
    if files:
        names += [name for name, spec in scopes.items() if any(fnmatch(f, p) for f in files for p in spec["files"])]
    copied(target / "tree")
    enough = [Scope(name, scopes[name], target / "tree", target, files).judge(jobs) for name in names or scopes]
    raise SystemExit(0 if all(enough) else 1)


main()
