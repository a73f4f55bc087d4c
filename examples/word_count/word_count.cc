// Counts the words of a file's lines.
//
//   word_count --in FILE [--out DIRECTORY]
//
// The input is bounded: the counts come when it has been read, one line "word,count" per word, in files in DIRECTORY or
// on standard output.
#include <fmt/format.h>
#include <penstock/connectors/file.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <cctype>
#include <string>

using namespace penstock;

namespace {

void split_words(const Bytes& line, Collector<std::string>& out) {
  std::string word;
  for (const char c : line.str() + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!word.empty()) {
      out.emit(word);
      word.clear();
    }
  }
}

std::string to_csv(const WindowResult<std::string, int64_t>& result) {
  return fmt::format("{},{}", result.key, result.value);
}

}  // namespace

PENSTOCK_JOB("word-count", (Environment & env, const Args& args)) {
  // Lines have no time: they are all of one, so that a single window has them, and fires when the input ends.
  auto counts = env.source("lines", file::Source{.path = args["in"]})
                    .flat_map<std::string>(split_words)
                    .name("words")
                    .watermarks(no_watermarks<std::string>([](const std::string&) { return 0; }))
                    .key_by([](const std::string& word) { return word; })
                    .window(tumbling(1h))
                    .aggregate("counts", Count{})
                    .map(to_csv)
                    .name("to csv");
  if (args.has("out")) {
    counts.sink("out", file::Sink{.path = args["out"]});
  } else {
    counts.sink("out", print::Sink{});
  }
}
