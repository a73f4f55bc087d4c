// The contract of a source, for those who write one.
#ifndef PENSTOCK_SOURCE_H_
#define PENSTOCK_SOURCE_H_

#include "runtime/metrics/metrics.h"
#include "runtime/record/bytes.h"
#include "runtime/task/source.h"

#endif  // PENSTOCK_SOURCE_H_
