#!/usr/bin/env bash
# install_test.sh BUILD_FOLDER WORK_FOLDER: installs penstock, moves it, builds the job of word_count/ against it, and
# runs what came out: its own tests, its plan, and the whole job.
set -euo pipefail
build=$1
work=$2
here=$(cd "$(dirname "$0")" && pwd)

rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$work/first" >"$work/install.log"
mv "$work/first" "$work/prefix"  # no path of the first place may be left in the package

cmake -S "$here/word_count" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; exit 1; }
grep -q "^penstock_DIR:PATH=$work/prefix/" "$work/build/CMakeCache.txt" || { echo "another penstock was found"; exit 1; }
cmake --build "$work/build" || exit 1
ctest --test-dir "$work/build" --output-on-failure

echo '{"arguments": ["--out", "'"$work/counts"'"], "parallelism": 2}' | "$work/build/word_count" plan >"$work/plan.json"
python3 - "$work/plan.json" <<'PYTHON'
import json, sys
plan = json.load(open(sys.argv[1]))
operators = [operator["name"] for vertex in plan["vertices"] for operator in vertex["operators"]]
assert plan["name"] == "word-count" and plan["parallelism"] == 2, plan
assert operators == ["lines", "flat_map", "watermarks", "combine for words", "words", "map", "out"], operators
PYTHON

"$work/build/word_count" -p 2 --out "$work/counts"
LC_ALL=C sort "$work/counts"/part-* >"$work/got"
diff "$here/word_count/expected" "$work/got"
echo "an installed penstock builds and runs a job"
