#include "runtime/core/storage/s3/testing/fake_s3.h"

#include <pugixml.hpp>
#include <sstream>
#include <utility>

#include "runtime/core/status.h"

namespace penstock::s3::testing {
namespace {

constexpr std::string_view kPathPrefix = "/bucket/";
constexpr const char* kMarkHeader = "x-amz-meta-penstock-upload";

std::string Decoded(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      result += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

void Fail(int status, const std::string& code, HttpAnswer* answer) {
  answer->status = status;
  answer->body = fmt::format("<Error><Code>{}</Code><Message>as ordered</Message></Error>", code);
}

std::string HeaderOf(const HttpRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found != request.headers.end() ? found->second : "";
}

std::string ValueOf(const std::map<std::string, std::string>& query, const std::string& name) {
  const auto found = query.find(name);
  return found != query.end() ? found->second : "";
}

}  // namespace

void FakeS3::Order(Fault fault, int times) {
  MutexLock lock(&mutex_);
  faults_.insert(faults_.end(), static_cast<size_t>(times), fault);
}

void FakeS3::Replace(const std::string& key, std::string bytes) {
  MutexLock lock(&mutex_);
  Store(key, std::move(bytes), "");
}

std::vector<std::string> FakeS3::Calls() {
  MutexLock lock(&mutex_);
  return calls_;
}

size_t FakeS3::OpenUploads() {
  MutexLock lock(&mutex_);
  return uploads_.size();
}

size_t FakeS3::FaultsLeft() {
  MutexLock lock(&mutex_);
  return faults_.size();
}

void FakeS3::Store(const std::string& key, std::string bytes, const std::string& mark) {
  objects_[key] = {std::move(bytes), fmt::format("\"{}\"", next_++), mark};
}

absl::Status FakeS3::Handle(const HttpRequest& request, HttpAnswer* answer) {
  const size_t path_at = request.url.find('/', request.url.find("://") + 3);
  const size_t question = std::min(request.url.find('?', path_at), request.url.size());
  const std::string path = Decoded(request.url.substr(path_at, question - path_at));
  if (!path.starts_with(kPathPrefix)) return FailedPrecondition("not of this bucket: {}", path);
  const std::string key = path.substr(kPathPrefix.size());
  Query query;
  std::istringstream fields(question < request.url.size() ? request.url.substr(question + 1) : "");
  for (std::string field; std::getline(fields, field, '&');) {
    const size_t equals = field.find('=');
    query[Decoded(field.substr(0, equals))] = Decoded(field.substr(equals + 1));
  }
  MutexLock lock(&mutex_);
  calls_.push_back(request.method + " " + key + request.url.substr(question));
  if (faults_.empty() || request.method.find(faults_.front().method) == std::string::npos ||
      request.url.find(faults_.front().part) == std::string::npos) {
    Act(request, key, query, answer);
    return absl::OkStatus();
  }
  const Fault fault = faults_.front();
  faults_.pop_front();
  switch (fault.kind) {
    case Fault::Kind::kUnreachable:
      return Unavailable("connection refused");
    case Fault::Kind::kAnswer:
    case Fault::Kind::kLateError:
      Fail(fault.kind == Fault::Kind::kLateError ? 200 : fault.status, fault.code, answer);
      return absl::OkStatus();
    case Fault::Kind::kAnswerLost:
      Act(request, key, query, answer);
      *answer = {};
      return Unavailable("connection reset");
    case Fault::Kind::kCutBody:
      Act(request, key, query, answer);
      answer->body.resize(answer->body.size() / 2);
      return Unavailable("connection reset");
  }
  return absl::OkStatus();
}

void FakeS3::Act(const HttpRequest& request, const std::string& key, const Query& query, HttpAnswer* answer) {
  answer->status = 200;
  if (request.method == "GET" && key.empty()) return List(query, answer);
  if (request.method == "GET") return Get(request, key, answer);
  if (request.method == "PUT") return Put(request, key, query, answer);
  if (request.method == "POST") return Post(request, key, query, answer);
  if (request.method == "DELETE" && query.contains("uploadId")) {
    if (uploads_.erase(ValueOf(query, "uploadId")) == 0) Fail(404, "NoSuchUpload", answer);
    return;
  }
  if (request.method == "DELETE") {
    objects_.erase(key);
    answer->status = 204;
    return;
  }
  const auto found = objects_.find(key);  // HEAD
  if (found == objects_.end()) {
    answer->status = 404;
  } else {
    answer->headers[kMarkHeader] = found->second.mark;
  }
}

void FakeS3::Get(const HttpRequest& request, const std::string& key, HttpAnswer* answer) {
  const auto found = objects_.find(key);
  if (found == objects_.end()) return Fail(404, "NoSuchKey", answer);
  const Object& object = found->second;
  const std::string condition = HeaderOf(request, "if-match");
  if (!condition.empty() && condition != object.etag) return Fail(412, "PreconditionFailed", answer);
  answer->headers["etag"] = object.etag;
  const std::string range = HeaderOf(request, "range");
  if (range.empty()) {
    answer->body = object.bytes;
    return;
  }
  const size_t from = std::stoull(range.substr(6));
  const size_t dash = range.find('-');
  const size_t last = dash + 1 < range.size() ? std::stoull(range.substr(dash + 1)) : SIZE_MAX - 1;
  if (from >= object.bytes.size()) return Fail(416, "InvalidRange", answer);
  answer->status = 206;
  answer->body = object.bytes.substr(from, last + 1 - from);
  answer->headers["content-range"] = fmt::format("bytes {}-{}/{}", from, last, object.bytes.size());
}

void FakeS3::Put(const HttpRequest& request, const std::string& key, const Query& query, HttpAnswer* answer) {
  if (query.contains("uploadId")) {
    const auto upload = uploads_.find(ValueOf(query, "uploadId"));
    if (upload == uploads_.end()) return Fail(404, "NoSuchUpload", answer);
    const std::string number = ValueOf(query, "partNumber");
    upload->second.parts[std::stoi(number)] = request.body;
    answer->headers["etag"] = "\"part-" + number + "\"";
    return;
  }
  const bool conditional = !ignores_conditions_ && HeaderOf(request, "if-none-match") == "*";
  if (conditional && objects_.contains(key)) return Fail(412, "PreconditionFailed", answer);
  Store(key, std::string(request.body), "");
}

void FakeS3::Post(const HttpRequest& request, const std::string& key, const Query& query, HttpAnswer* answer) {
  pugi::xml_document document;
  document.load_buffer(request.body.data(), request.body.size());
  if (query.contains("uploads")) {
    const std::string id = fmt::format("upload-{}", next_++);
    uploads_[id] = {key, HeaderOf(request, kMarkHeader), {}};
    answer->body =
        fmt::format("<InitiateMultipartUploadResult><UploadId>{}</UploadId></InitiateMultipartUploadResult>", id);
  } else if (query.contains("delete")) {
    if (refuses_multi_delete_) return Fail(501, "NotImplemented", answer);
    for (const pugi::xml_node& node : document.child("Delete").children("Object")) {
      objects_.erase(node.child_value("Key"));
    }
    answer->body = "<DeleteResult/>";
  } else {
    const auto upload = uploads_.find(ValueOf(query, "uploadId"));
    if (upload == uploads_.end()) return Fail(404, "NoSuchUpload", answer);
    std::string bytes;
    int number = 0;
    for (const pugi::xml_node& part : document.child("CompleteMultipartUpload").children("Part")) {
      ++number;
      if (part.child_value("ETag") != fmt::format("\"part-{}\"", number)) return Fail(400, "InvalidPart", answer);
      bytes += upload->second.parts[number];
    }
    Store(key, std::move(bytes), upload->second.mark);
    uploads_.erase(upload);
    answer->body = "<CompleteMultipartUploadResult/>";
  }
}

void FakeS3::List(const Query& query, HttpAnswer* answer) {
  const std::string prefix = ValueOf(query, "prefix");
  const std::string after = ValueOf(query, "continuation-token");
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("ListBucketResult");
  size_t keys = 0;
  for (const auto& [key, object] : objects_) {
    if (!key.starts_with(prefix) || (!after.empty() && key < after)) continue;
    if (keys++ == page_keys_) {
      root.append_child("IsTruncated").text() = "true";
      root.append_child("NextContinuationToken").text() = key.c_str();
      break;
    }
    pugi::xml_node node = root.append_child("Contents");
    node.append_child("Key").text() = key.c_str();
    node.append_child("Size").text() = static_cast<unsigned long long>(object.bytes.size());
    node.append_child("LastModified").text() = "2026-01-01T00:00:00.000Z";
  }
  std::ostringstream out;
  document.save(out);
  answer->body = out.str();
}

}  // namespace penstock::s3::testing
