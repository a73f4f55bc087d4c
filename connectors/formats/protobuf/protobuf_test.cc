#include "penstock/formats/protobuf.h"

#include <google/protobuf/struct.pb.h>

#include <catch2/catch.hpp>

namespace penstock::protobuf {
namespace {

TEST_CASE("messages are written and read", "[protobuf]") {
  google::protobuf::Value message;
  message.mutable_struct_value()->mutable_fields()->insert({"a", {}});
  const std::string bytes = write<google::protobuf::Value>()(message);
  const auto read = parse<google::protobuf::Value>()(Bytes(bytes));
  REQUIRE(read.ok());
  CHECK(read->struct_value().fields().contains("a"));
  const auto refused = parse<google::protobuf::Value>()(bytes.substr(0, bytes.size() - 1));
  CHECK(refused.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(refused.status().message()), Catch::Contains("google.protobuf.Value"));
}

}  // namespace
}  // namespace penstock::protobuf
