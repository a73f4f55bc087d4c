#!/usr/bin/env bash
# debian_test.sh BUILD_FOLDER WORK_FOLDER JOB: makes the Debian packages, unpacks them into a scratch root, and runs JOB,
# the word count of install_test.sh, on a cluster started from there.
set -euo pipefail
build=$1
work=$2
job=$3
here=$(cd "$(dirname "$0")" && pwd)
fail() { echo "$*" >&2; exit 1; }

rm -rf "$work"
mkdir -p "$work/root" "$work/packages"
cpack --config "$build/CPackConfig.cmake" -G DEB -B "$work/packages" >"$work/cpack.log" 2>&1 || { cat "$work/cpack.log"; exit 1; }

runtime=$(echo "$work"/packages/penstock_*.deb)
development=$(echo "$work"/packages/penstock-dev_*.deb)
depends=$(dpkg-deb -f "$runtime" Depends)
for library in libc6 'libgrpc++' libprotobuf libssl libyaml-cpp; do
  grep -qF "$library" <<<"$depends" || fail "penstock does not depend on $library: $depends"
done
if grep -q -- -dev <<<"$depends"; then fail "penstock depends on a -dev package: $depends"; fi
depends=$(dpkg-deb -f "$development" Depends)
for package in 'libgrpc\+\+-dev' librdkafka-dev libabsl-dev g\\+\\+; do
  grep -qE "(^|, )$package(,|$)" <<<"$depends" || fail "penstock-dev does not depend on $package: $depends"
done
dpkg-deb -x "$runtime" "$work/root"
dpkg-deb -x "$development" "$work/root"
for file in bin/penstock bin/penstock-jobmanager bin/penstock-taskmanager include/penstock-engine/penstock/job.h \
  share/doc/penstock/copyright share/doc/penstock-dev/copyright; do
  [ -s "$work/root/usr/$file" ] || fail "no package has /usr/$file"
done
if grep -rqsF "$build" "$work/root/usr/lib"/*/cmake; then fail "the CMake package names the build folder"; fi

penstock="$work/root/usr/bin/penstock"
"$penstock" --version
export PENSTOCK_RUN_DIR="$work/run"
trap '"$penstock" cluster stop >/dev/null 2>&1 || true' EXIT
"$penstock" -Drest.port=0 -Djobmanager.rpc.port=0 cluster start -n 1 -s 2 || { cat "$work"/run/*.log; exit 1; }
"$penstock" run -p 2 "$job" -- --out "$work/counts" </dev/null
LC_ALL=C sort "$work/counts"/part-* >"$work/got"
diff "$here/word_count/expected" "$work/got"
"$penstock" cluster stop
echo "the packages hold a cluster that runs"
