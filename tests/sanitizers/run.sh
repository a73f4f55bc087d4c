#!/usr/bin/env bash
# run.sh PRESET core|all [CTEST_ARGUMENT...]: builds and runs tests under a sanitizer, PRESET being asan or tsan.
#   core  the always lane: the engine's suites (label "sanitized"), those of one thread not under tsan (label "threads")
#   all   every suite that needs no broker: ./run-tests --sanitizers
set -euo pipefail
preset=$1
suites=$2
shift 2
cd "$(dirname "$0")/../.."

if [ "$suites" = core ]; then
  target=penstock_sanitized_tests
  select=(-L '^sanitized$')
  if [ "$preset" = tsan ]; then select=(-L '^threads$'); fi
else
  target=all
  select=(-LE '^(broker|long)$')
  if [ "$preset" = tsan ]; then select=(-LE '^(broker|long|no_tsan)$'); fi
fi
mkdir -p build
cmake --preset "$preset" >"build/$preset.log" 2>&1 || { cat "build/$preset.log" >&2; exit 1; }
cmake --build "build/$preset" -j "$(nproc)" --target "$target" >"build/$preset.log" 2>&1 || {
  grep -v '^\[' "build/$preset.log" >&2
  exit 1
}
# TSan's shadow memory does not fit beside some address layouts.
fixed_layout=()
if setarch -R true 2>/dev/null; then fixed_layout=(setarch -R); fi
exec "${fixed_layout[@]}" ctest --test-dir "build/$preset" --output-on-failure --no-tests=error "${select[@]}" "$@"
