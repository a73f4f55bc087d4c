#include "runtime/record/bytes.h"

#include <cstring>

namespace penstock {

bool contains(const Bytes& haystack, std::string_view needle) {
  return memmem(haystack.data(), haystack.size(), needle.data(), needle.size()) != nullptr;
}

}  // namespace penstock
