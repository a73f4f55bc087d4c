#!/usr/bin/env python3
"""check.py PAGE SOURCE...: every C++ and CMake block of the page must stand in one of the sources, whatever the white
space."""
import re
import sys


def squeezed(text):
    return "".join(text.split())


page = open(sys.argv[1]).read()
sources = [squeezed(open(path).read()) for path in sys.argv[2:]]
blocks = re.findall(r"```(?:cpp|cmake)\n(.*?)```", page, re.S)
missing = [block for block in blocks if not any(squeezed(block) in source for source in sources)]
for block in missing:
    print(f"{sys.argv[1]}: this block is in none of {', '.join(sys.argv[2:])}:\n{block}")
if not blocks:
    print(f"{sys.argv[1]}: no blocks found")
sys.exit(1 if missing or not blocks else 0)
