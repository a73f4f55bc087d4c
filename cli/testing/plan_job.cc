// A job program without an engine: speaks `plan` as the CLI expects it. Its first argument says how it behaves.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

int main(int argc, char** argv) {
  if (argc != 2 || std::string(argv[1]) != "plan") return 64;
  const std::string input(std::istreambuf_iterator<char>(std::cin), {});
  const auto request = nlohmann::json::parse(input);
  const std::string behaviour = request["arguments"].empty() ? "" : request["arguments"][0].get<std::string>();
  if (behaviour == "crash") raise(SIGSEGV);
  if (behaviour == "hang") pause();
  if (behaviour == "refuse") {
    std::fputs("argument --brokers is missing\n", stderr);
    return 1;
  }
  if (behaviour == "chatter") {
    std::puts("hello");
    return 0;
  }
  const nlohmann::json graph = {
      {"graph_version", 1},
      {"name", "fake"},
      {"uid", "fake-v1"},
      {"parallelism", request["parallelism"]},
      {"key_groups", request["key_groups"]},
      {"vertices",
       {{{"id", std::string(32, 'a')},
         {"name", "numbers"},
         {"parallelism", request["parallelism"]},
         {"is_source", true},
         {"operators", {{{"name", "numbers"}, {"kind", "source"}, {"output_type", "int64"}}}}},
        {{"id", std::string(32, 'b')},
         {"name", "sum -> out"},
         {"parallelism", 1},
         {"is_sink", true},
         {"operators",
          {{{"name", "sum"},
            {"uid", "sum"},
            {"kind", "window"},
            {"description", "tumbling(5min)"},
            {"states", {{{"name", "sum"}, {"kind", "value"}, {"key_type", "int64"}, {"value_type", "int64"}}}}},
           {{"name", "out"}, {"kind", "sink"}, {"delivery", "at_least_once"}}}}}}},
      {"edges",
       {{{"from", std::string(32, 'a')}, {"to", std::string(32, 'b')}, {"partitioning", "hash"}, {"type", "int64"}}}}};
  std::puts(graph.dump().c_str());
  return 0;
}
