// How your types become bytes: nothing to do for aggregates of known types; one line or a specialisation for others.
#ifndef PENSTOCK_SERDE_H_
#define PENSTOCK_SERDE_H_

#include "runtime/record/serde.h"

#endif  // PENSTOCK_SERDE_H_
