// /v2/programs/<sha256>: uploads that survive a broken connection.
//
//   HEAD           Upload-Offset: how much has come; Upload-Complete: true | false; 404 when nothing has
//   PUT or PATCH   a piece: Upload-Offset (default 0) says where it begins, Upload-Length how long the whole is
//   (default:
//                  offset + Content-Length). 201 when the whole has come and its digest is right, 202 when more is to
//                  come, 200 when it was there already, 409 with the right Upload-Offset, 422 for a wrong digest.
#include <algorithm>
#include <charconv>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "jobmanager/rest/rest_context.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

using http::ErrorResponse;
using http::JsonResponse;
using http::Request;
using http::Response;

constexpr int64_t kContentPieceBytesMax = 4 << 20;

std::optional<int64_t> NumberOf(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Response WithProgress(Response response, const ProgramStore::Progress& progress) {
  response.headers["Upload-Offset"] = std::to_string(progress.bytes);
  response.headers["Upload-Complete"] = progress.complete ? "true" : "false";
  return response;
}

Response RefusedUpload(ProgramStore* programs, const std::string& digest, const absl::Status& status) {
  const auto progress = programs->ProgressOf(digest);
  if (absl::IsAlreadyExists(status) && progress.ok()) {
    return WithProgress(JsonResponse(nlohmann::json::object()), *progress);
  }
  if (absl::IsOutOfRange(status)) {
    return WithProgress(ErrorResponse(409, MessageOf(status)), progress.ok() ? *progress : ProgramStore::Progress{});
  }
  if (absl::IsDataLoss(status)) return ErrorResponse(422, MessageOf(status));
  return ErrorResponse(status);
}

class ProgramSink final : public http::BodySink {
 public:
  ProgramSink(ProgramStore* programs, std::string digest, std::unique_ptr<ProgramUpload> upload)
      : programs_(programs), digest_(std::move(digest)), upload_(std::move(upload)) {}

  std::optional<Response> Write(std::string_view piece) override {
    const absl::Status written = upload_->Write(piece);
    if (written.ok()) return std::nullopt;
    return RefusedUpload(programs_, digest_, written);
  }
  Response Finish() override {
    const auto complete = upload_->Finish();
    if (!complete.ok()) return RefusedUpload(programs_, digest_, complete.status());
    return WithProgress(JsonResponse(nlohmann::json::object(), *complete ? 201 : 202),
                        ProgramStore::Progress{upload_->offset(), *complete});
  }

 private:
  ProgramStore* const programs_;
  const std::string digest_;
  const std::unique_ptr<ProgramUpload> upload_;
};

std::unique_ptr<http::BodySink> BeginUpload(ProgramStore* programs, const Request& request, Response* refusal) {
  const std::string& digest = request.params.at("digest");
  const auto header_or = [&request](const char* name, int64_t fallback) -> std::optional<int64_t> {
    const std::string& text = request.header(name);
    if (text.empty()) return fallback;
    return NumberOf(text);
  };
  const auto offset = header_or("upload-offset", 0);
  const auto content_length = header_or("content-length", 0);
  if (!offset || !content_length) {
    *refusal = ErrorResponse(400, "Upload-Offset is not a number");
    return nullptr;
  }
  const auto total = header_or("upload-length", *offset + *content_length);
  if (!total) {
    *refusal = ErrorResponse(400, "Upload-Length is not a number");
    return nullptr;
  }
  auto upload = programs->BeginUpload(digest, *offset, *total);
  if (!upload.ok()) {
    *refusal = RefusedUpload(programs, digest, upload.status());
    return nullptr;
  }
  return std::make_unique<ProgramSink>(programs, digest, *std::move(upload));
}

// A piece of a program, so that it can be planned again where it is not.
Response GetContent(ProgramStore* programs, const Request& request) {
  const auto program = programs->Find(request.params.at("digest"));
  if (!program.ok()) return ErrorResponse(program.status());
  const auto offset = NumberOf(request.query_value("offset").value_or("0"));
  const auto max = NumberOf(request.query_value("max").value_or(std::to_string(kContentPieceBytesMax)));
  if (!offset || !max || *offset < 0 || *max < 1) return ErrorResponse(400, "offset and max are numbers of bytes");
  std::ifstream file(program->path, std::ios::binary);
  file.seekg(*offset);
  std::string piece(static_cast<size_t>(std::min(*max, kContentPieceBytesMax)), '\0');
  file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
  piece.resize(static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  return Response{.body = std::move(piece), .content_type = "application/octet-stream"};
}

}  // namespace

void AddProgramRoutes(RestContext* context, http::Router* router) {
  ProgramStore* const programs = &context->programs;
  const auto progress = [programs](const Request& request) {
    const auto found = programs->ProgressOf(request.params.at("digest"));
    if (!found.ok()) return ErrorResponse(found.status());
    return WithProgress(JsonResponse({{"bytes", found->bytes}, {"complete", found->complete}}), *found);
  };
  router->Handle("GET", "/v2/programs/:digest", progress);
  router->Handle("GET", "/v2/programs/:digest/content",
                 [programs](const Request& request) { return GetContent(programs, request); });
  for (const char* method : {"PUT", "PATCH"}) {
    router->HandleUpload(method, "/v2/programs/:digest",
                         {.handler = [programs](const Request& request,
                                                Response* refusal) { return BeginUpload(programs, request, refusal); },
                          .body_bytes_max = programs->program_bytes_max()});
  }
}

}  // namespace penstock::jobmanager
