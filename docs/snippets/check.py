#!/usr/bin/env python3
"""check.py PAGE SOURCE: every C++ block of the page must stand in the source, whatever the indentation."""
import re
import sys


def lines(text):
    return [line.strip() for line in text.splitlines() if line.strip()]


page, source = (open(path).read() for path in sys.argv[1:3])
compiled = "\n".join(lines(source))
blocks = re.findall(r"```cpp\n(.*?)```", page, re.S)
missing = [block for block in blocks if "\n".join(lines(block)) not in compiled]
for block in missing:
    print(f"{sys.argv[1]}: this block is not in {sys.argv[2]}:\n{block}")
if not blocks:
    print(f"{sys.argv[1]}: no C++ blocks found")
sys.exit(1 if missing or not blocks else 0)
