// The contract of a sink, for those who write one.
#ifndef PENSTOCK_SINK_H_
#define PENSTOCK_SINK_H_

#include "runtime/metrics/metrics.h"
#include "runtime/record/bytes.h"
#include "runtime/task/sink.h"

#endif  // PENSTOCK_SINK_H_
