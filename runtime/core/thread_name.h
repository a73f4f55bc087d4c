// Names the calling thread for thread lists and profiles (first 15 characters).
#ifndef PENSTOCK_RUNTIME_CORE_THREAD_NAME_H_
#define PENSTOCK_RUNTIME_CORE_THREAD_NAME_H_

#include <string>

namespace penstock {

void SetThreadName(const std::string& name);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_THREAD_NAME_H_
