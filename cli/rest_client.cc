#include "cli/rest_client.h"

#include <httplib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/child.h"
#include "runtime/core/local_token.h"
#include "runtime/core/status.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

constexpr int kConnectTimeoutS = 5;
constexpr int kReadTimeoutS = 60;
constexpr int64_t kUploadRetryPauseMs = 200;

std::string ErrorOf(const std::string& body, int status) {
  const json parsed = json::parse(body, nullptr, false);
  if (parsed.is_object() && parsed.contains("errors") && parsed["errors"].is_array() && !parsed["errors"].empty() &&
      parsed["errors"][0].is_string()) {
    return parsed["errors"][0].get<std::string>();
  }
  return fmt::format("HTTP status {}", status);
}

absl::Status StatusOf(int http_status, const std::string& body) {
  if (http_status < 400) return absl::OkStatus();
  const std::string message = ErrorOf(body, http_status);
  if (http_status == 404) return NotFound("{}", message);
  if (http_status == 401 || http_status == 403) return PermissionDenied("{}", message);
  if (http_status < 500) return FailedPrecondition("{}", message);
  return Internal("{}", message);
}

absl::StatusOr<json> ParseAnswer(const std::string& body, const std::string& path) {
  json parsed = json::parse(body, nullptr, false);
  if (parsed.is_discarded()) return Internal("the answer to {} is no JSON; is this a JobManager?", path);
  return parsed;
}

std::string Quote(const std::string& path) {
  std::string quoted;
  for (const unsigned char c : path) {
    const bool plain =
        std::isalnum(c) != 0 || std::string_view("-_.~/?&=:").find(static_cast<char>(c)) != std::string_view::npos;
    quoted += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return quoted;
}

}  // namespace

RestClient::RestClient(RestTarget target) : target_(std::move(target)) {}

absl::StatusOr<RestClient::Reply> RestClient::Send(const Call& call) {
  const size_t colon = target_.address.rfind(':');
  if (colon == std::string::npos) return InvalidArgument("'{}' is no host:port", target_.address);
  httplib::Client client(target_.address.substr(0, colon), std::atoi(target_.address.c_str() + colon + 1));
  client.set_connection_timeout(kConnectTimeoutS);
  client.set_read_timeout(kReadTimeoutS);
  client.set_write_timeout(kReadTimeoutS);
  httplib::Request request;
  request.method = call.method;
  request.path = Quote(call.path);
  request.body = call.body;
  if (!call.body.empty()) request.set_header("Content-Type", "application/json");
  if (call.upload_offset >= 0) request.set_header("Upload-Offset", std::to_string(call.upload_offset));
  if (call.upload_length >= 0) request.set_header("Upload-Length", std::to_string(call.upload_length));
  if (call.method != "GET" && call.method != "HEAD") {
    const auto token = ReadLocalToken(target_.token_file);
    if (absl::IsPermissionDenied(token.status())) return token.status();
    // Without a file the server decides; its refusal says which file it is.
    if (token.ok()) request.set_header("Authorization", "Bearer " + *token);
  }
  const httplib::Result result = client.send(request);
  if (!result) {
    return Unavailable("the JobManager at {} can't be reached ({}); is it running? -m names another", target_.address,
                       httplib::to_string(result.error()));
  }
  return Reply{.status = result->status,
               .body = result->body,
               .upload_offset = std::atoll(result->get_header_value("Upload-Offset").c_str()),
               .upload_complete = result->get_header_value("Upload-Complete") == "true"};
}

absl::StatusOr<RestClient::Reply> RestClient::SendChecked(const Call& call) {
  PENSTOCK_ASSIGN_OR_RETURN(Reply reply, Send(call));
  PENSTOCK_RETURN_IF_ERROR(StatusOf(reply.status, reply.body));
  return reply;
}

absl::StatusOr<json> RestClient::Get(const std::string& path) {
  PENSTOCK_ASSIGN_OR_RETURN(const Reply reply, SendChecked({.method = "GET", .path = path}));
  return ParseAnswer(reply.body, path);
}

absl::StatusOr<std::string> RestClient::GetText(const std::string& path) {
  PENSTOCK_ASSIGN_OR_RETURN(Reply reply, SendChecked({.method = "GET", .path = path}));
  return std::move(reply.body);
}

absl::StatusOr<json> RestClient::Post(const std::string& path, const json& body) {
  PENSTOCK_ASSIGN_OR_RETURN(const Reply reply, SendChecked({.method = "POST", .path = path, .body = body.dump()}));
  return ParseAnswer(reply.body, path);
}

absl::StatusOr<RestClient::Reply> RestClient::SendPiece(const std::string& digest, const std::string& file,
                                                        int64_t offset, int64_t total) {
  Call call{.method = "PATCH",
            .path = "/v2/programs/" + digest,
            .body = std::string(static_cast<size_t>(std::min(kUploadPieceBytes, total - offset)), '\0'),
            .upload_offset = offset,
            .upload_length = total};
  std::ifstream stream(file, std::ios::binary);
  stream.seekg(offset);
  if (!stream.read(call.body.data(), static_cast<std::streamsize>(call.body.size()))) {
    return DataLoss("'{}' became shorter while it was uploaded", file);
  }
  return Send(call);
}

absl::Status RestClient::UploadProgram(const std::string& digest, const std::string& file,
                                       const std::function<void(int64_t, int64_t)>& progress) {
  const std::string path = "/v2/programs/" + digest;
  const auto total = static_cast<int64_t>(std::filesystem::file_size(file));
  absl::Status last_failure;
  for (int attempt = 0; attempt < kUploadAttempts; ++attempt) {
    PauseMs(attempt * kUploadRetryPauseMs);
    PENSTOCK_ASSIGN_OR_RETURN(const Reply head, Send({.method = "HEAD", .path = path}));
    if (head.status == 200 && head.upload_complete) return absl::OkStatus();
    int64_t offset = head.status == 200 ? std::min(head.upload_offset, total - 1) : 0;
    // What is there may be of a longer, wrong file: then begin again.
    if (head.status == 200 && head.upload_offset >= total) offset = 0;
    while (true) {
      const auto reply = SendPiece(digest, file, offset, total);
      if (!reply.ok()) {
        last_failure = reply.status();
        break;  // ask again how much has come
      }
      if (reply->status == 409) {
        last_failure = StatusOf(reply->status, reply->body);
        break;
      }
      PENSTOCK_RETURN_IF_ERROR(StatusOf(reply->status, reply->body));
      if (reply->upload_complete) return absl::OkStatus();
      offset = reply->upload_offset;
      progress(offset, total);
    }
  }
  return last_failure;
}

}  // namespace penstock::cli
