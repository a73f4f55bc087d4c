#!/usr/bin/env bash
# no_serde_test.sh COMPILER SOURCE_DIR: a type that has no Serde does not compile, and the compiler says what to write.
set -euo pipefail
compiler=$1
source=$2
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cat >"$work/no_serde.cc" <<'CODE'
#include <penstock/serde.h>
class Private {
 public:
  explicit Private(int value) : value_(value) {}
 private:
  int value_;
};
std::string name = penstock::Serde<Private>::TypeName();
CODE
if "$compiler" -std=c++20 -fsyntax-only -I"$source" -I"$source/api/include" "$work/no_serde.cc" 2>"$work/errors"; then
  echo "it compiles" >&2
  exit 1
fi
grep -q 'penstock: there is no Serde for this type. Make it an aggregate' "$work/errors" || { cat "$work/errors" >&2; exit 1; }
grep -q 'PENSTOCK_SERDE(Type, member, ...)' "$work/errors"
