// Talks to a JobManager's REST server. Hides cpp-httplib.
//
// Not thread-safe. Errors: Unavailable when nobody answers; NotFound, PermissionDenied and FailedPrecondition carry the
// server's own words for 404, 401/403 and other refusals.
#ifndef PENSTOCK_CLI_REST_CLIENT_H_
#define PENSTOCK_CLI_REST_CLIENT_H_

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock::cli {

inline constexpr int kUploadAttempts = 5;
inline constexpr int64_t kUploadPieceBytes = 4 << 20;

struct RestTarget {
  std::string address;     // host:port
  std::string token_file;  // read when a changing call is made
};

class RestClient {
 public:
  explicit RestClient(RestTarget target);

  absl::StatusOr<nlohmann::json> Get(const std::string& path);
  absl::StatusOr<std::string> GetText(const std::string& path);
  absl::StatusOr<nlohmann::json> Post(const std::string& path, const nlohmann::json& body);
  // Uploads what the server lacks of the file; goes on after a broken connection.
  absl::Status UploadProgram(const std::string& digest, const std::string& file,
                             const std::function<void(int64_t done, int64_t total)>& progress);
  const std::string& address() const { return target_.address; }

 private:
  struct Reply {
    int status = 0;
    std::string body;
    int64_t upload_offset = 0;
    bool upload_complete = false;
  };
  struct Call {
    std::string method;
    std::string path;
    std::string body = {};
    int64_t upload_offset = -1;
    int64_t upload_length = -1;
  };
  // Any answer of the server is OK here.
  absl::StatusOr<Reply> Send(const Call& call);
  absl::StatusOr<Reply> SendChecked(const Call& call);
  absl::StatusOr<Reply> SendPiece(const std::string& digest, const std::string& file, int64_t offset, int64_t total);

  const RestTarget target_;
};

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_REST_CLIENT_H_
