// Sinks of one's own that write exactly once.
#ifndef PENSTOCK_TWO_PHASE_SINK_H_
#define PENSTOCK_TWO_PHASE_SINK_H_

#include "penstock/sink.h"
#include "runtime/task/two_phase_sink.h"

#endif  // PENSTOCK_TWO_PHASE_SINK_H_
