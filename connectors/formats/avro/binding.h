// Whether values of a schema fit into a struct's members, and which alternative of a variant takes which branch.
#ifndef PENSTOCK_CONNECTORS_FORMATS_AVRO_BINDING_H_
#define PENSTOCK_CONNECTORS_FORMATS_AVRO_BINDING_H_

#include <string>

#include "penstock/formats/avro/schema.h"
#include "runtime/record/shape.h"

namespace penstock::avro {

enum class Direction { kRead, kWrite };

// Empty: they fit. Else one sentence that begins with the place.
std::string BindingProblem(const Schema& schema, int node, const Shape& shape, Direction direction,
                           const std::string& path);

// The first alternative that fits; -1: none does.
int AlternativeOf(const Schema& schema, int node, const Shape& variant, Direction direction);

}  // namespace penstock::avro

#endif  // PENSTOCK_CONNECTORS_FORMATS_AVRO_BINDING_H_
