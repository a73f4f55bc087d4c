// Counts the words of a few lines, in one-minute windows: a job outside of penstock's tree.
#include <penstock/connectors/collection.h>
#include <penstock/connectors/file.h>
#include <penstock/job.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace penstock;

struct Line {
  std::string text;
  int64_t time = 0;
};

struct Word {
  std::string text;
  int64_t time = 0;
};

static std::vector<Word> WordsOf(const Line& line) {
  std::vector<Word> words;
  size_t begin = 0;
  while ((begin = line.text.find_first_not_of(' ', begin)) != std::string::npos) {
    const size_t end = std::min(line.text.find(' ', begin), line.text.size());
    words.push_back({line.text.substr(begin, end - begin), line.time});
    begin = end;
  }
  return words;
}

PENSTOCK_JOB("word-count", (Environment& env, const Args& args)) {
  env.source("lines",
             collection::Source<Line>{
                 .records = {{"to be or not to be", 1'000}, {"that is the question", 2'000}, {"to be", 61'000}}})
      .flat_map(WordsOf)
      .watermarks(bounded_disorder<Word>(1s, &Word::time))
      .key_by(&Word::text)
      .window(tumbling(1min))
      .aggregate("words", Count{})
      .map([](const WindowResult<std::string, int64_t>& count) {
        return std::to_string(count.start / 1'000) + " " + count.key + " " + std::to_string(count.value);
      })
      .sink("out", file::Sink{.path = args["out"]});
}
