#include "runtime/core/storage/s3/answers.h"

#include <chrono>
#include <cstdio>
#include <pugixml.hpp>
#include <sstream>

#include "runtime/core/status.h"

namespace penstock::s3 {
namespace {

constexpr size_t kQuotedCharsMax = 200;  // of an answer that nobody understands

// The root when the document is well-formed and its root has this name, else an empty node.
pugi::xml_node Root(pugi::xml_document& document, std::string_view body, const char* name) {
  if (!document.load_buffer(body.data(), body.size())) return {};
  return document.child(name);
}

absl::Status NotUnderstood(const char* what, std::string_view body) {
  return DataLoss("the answer is no {}: {}", what, body.substr(0, kQuotedCharsMax));
}

std::string ToText(const pugi::xml_document& document) {
  std::ostringstream out;
  document.save(out, "", pugi::format_raw);
  return out.str();
}

ErrorAnswer ErrorOf(const pugi::xml_node& node) {
  return {node.child_value("Code"), node.child_value("Message"), node.child_value("Region")};
}

}  // namespace

ErrorAnswer ParseError(std::string_view body) {
  pugi::xml_document document;
  return ErrorOf(Root(document, body, "Error"));
}

absl::StatusOr<ListPage> ParseList(std::string_view body) {
  pugi::xml_document document;
  const pugi::xml_node root = Root(document, body, "ListBucketResult");
  if (!root) return NotUnderstood("list of objects", body);
  ListPage page;
  for (const pugi::xml_node& node : root.children("Contents")) {
    page.objects.push_back({.key = node.child_value("Key"),
                            .size_bytes = node.child("Size").text().as_llong(),
                            .modified_ms = ParseTimeMs(node.child_value("LastModified"))});
  }
  if (root.child("IsTruncated").text().as_bool()) {
    page.continuation = root.child_value("NextContinuationToken");
    if (page.continuation.empty()) return NotUnderstood("whole list of objects, it goes on without saying how", body);
  }
  return page;
}

absl::StatusOr<std::string> ParseUploadId(std::string_view body) {
  pugi::xml_document document;
  std::string id = Root(document, body, "InitiateMultipartUploadResult").child_value("UploadId");
  if (id.empty()) return NotUnderstood("begun upload", body);
  return id;
}

absl::StatusOr<std::vector<DeleteFailure>> ParseDeleteFailures(std::string_view body) {
  pugi::xml_document document;
  const pugi::xml_node root = Root(document, body, "DeleteResult");
  if (!root) return NotUnderstood("result of a deletion", body);
  std::vector<DeleteFailure> failures;
  for (const pugi::xml_node& node : root.children("Error"))
    failures.push_back({node.child_value("Key"), ErrorOf(node)});
  return failures;
}

std::string DeleteBody(const std::vector<std::string>& keys) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("Delete");
  root.append_attribute("xmlns") = "http://s3.amazonaws.com/doc/2006-03-01/";
  root.append_child("Quiet").text() = "true";
  for (const std::string& key : keys) root.append_child("Object").append_child("Key").text() = key.c_str();
  return ToText(document);
}

std::string CompleteUploadBody(const std::vector<std::string>& etags) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  root.append_attribute("xmlns") = "http://s3.amazonaws.com/doc/2006-03-01/";
  for (size_t i = 0; i < etags.size(); ++i) {
    pugi::xml_node part = root.append_child("Part");
    part.append_child("PartNumber").text() = static_cast<unsigned>(i + 1);
    part.append_child("ETag").text() = etags[i].c_str();
  }
  return ToText(document);
}

int64_t ParseTimeMs(const std::string& text) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  double second = 0;
  if (std::sscanf(text.c_str(), "%d-%u-%uT%d:%d:%lf", &year, &month, &day, &hour, &minute, &second) != 6) return 0;
  const std::chrono::sys_days days = std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day);
  return days.time_since_epoch().count() * 86'400'000LL + hour * 3'600'000LL + minute * 60'000LL +
         static_cast<int64_t>(second * 1000);
}

}  // namespace penstock::s3
