// Serves the files of one folder. Paths never leave it: each segment is checked, and symbolic links that lead outside
// are not followed. Thread-safe; reads the disk on every request.
#ifndef PENSTOCK_RUNTIME_CORE_HTTP_STATIC_FILES_H_
#define PENSTOCK_RUNTIME_CORE_HTTP_STATIC_FILES_H_

#include <string>

#include "runtime/core/http/message.h"

namespace penstock::http {

inline constexpr int64_t kStaticFileBytesMax = 64 << 20;

// 404 "File not found." for what is not there. "/" is index.html.
Response ServeStaticFile(const std::string& root, const Request& request);

}  // namespace penstock::http

#endif  // PENSTOCK_RUNTIME_CORE_HTTP_STATIC_FILES_H_
