// What word_count.cc and its test share.
#ifndef WORD_COUNT_WORDS_H_
#define WORD_COUNT_WORDS_H_

#include <penstock/job.h>

#include <algorithm>
#include <string>
#include <vector>

struct Line {
  std::string text;
  int64_t time = 0;
};

struct Word {
  std::string text;
  int64_t time = 0;
};

inline std::vector<Word> WordsOf(const Line& line) {
  std::vector<Word> words;
  size_t begin = 0;
  while ((begin = line.text.find_first_not_of(' ', begin)) != std::string::npos) {
    const size_t end = std::min(line.text.find(' ', begin), line.text.size());
    words.push_back({line.text.substr(begin, end - begin), line.time});
    begin = end;
  }
  return words;
}

// "<window start in s> <word> <count>" for each word of each minute.
inline penstock::DataStream<std::string> CountWords(penstock::DataStream<Line> lines) {
  using namespace penstock;
  return lines.flat_map(WordsOf)
      .watermarks(bounded_disorder<Word>(1s, &Word::time))
      .key_by(&Word::text)
      .window(tumbling(1min))
      .aggregate("words", Count{})
      .map([](const WindowResult<std::string, int64_t>& count) {
        return std::to_string(count.start / 1'000) + " " + count.key + " " + std::to_string(count.value);
      });
}

#endif  // WORD_COUNT_WORDS_H_
