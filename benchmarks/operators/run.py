#!/usr/bin/env python3
"""What single operators cost: CPU time of the job program on its own, on one core, beside one that only passes on.

  benchmarks/operators/run.py [--events 5000000] [--rounds 3]

Sliding windows of 2 to 60 slides over 10,000 keys, and a pattern of two stages. The rounds go through all variants in
turn; medians are printed, with the ratio to the first one.
"""
import argparse
import os
import statistics
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PENSTOCK_BUILD_DIR", os.path.join(ROOT, "build", "release"))
PROGRAM = os.path.join(BUILD, "benchmarks", "operators", "operators_bench")
VARIANTS = {"pass on": ["--operator", "none"],
            **{f"sliding, {slides} slides": ["--operator", "sliding", "--slides", str(slides)]
               for slides in (2, 5, 10, 20, 60)},
            "pattern of two stages": ["--operator", "cep"]}


def cpu_seconds(arguments, events):
    process = subprocess.Popen([PROGRAM, "-p", "1", *arguments, "--events", str(events)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"run.py: {' '.join(arguments)} ended with {status}: {errors}")
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    os.sched_setaffinity(0, {0})
    taken = {name: [] for name in VARIANTS}
    for _ in range(args.rounds):
        for name, arguments in VARIANTS.items():
            taken[name].append(cpu_seconds(arguments, args.events))
    medians = {name: statistics.median(each) for name, each in taken.items()}
    first = next(iter(medians.values()))
    print("| | events per CPU-second | CPU time, ratio |\n|---|---|---|")
    for name, seconds in medians.items():
        print(f"| {name} | {args.events / seconds:,.0f} | {seconds / first:.2f} |")


if __name__ == "__main__":
    main()
