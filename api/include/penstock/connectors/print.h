// print::Sink: one line per record on standard output (of the worker: its log), with the subtask in front: "3> text".
// Takes what fmt or an ostream can print, and Bytes.
#ifndef PENSTOCK_CONNECTORS_PRINT_H_
#define PENSTOCK_CONNECTORS_PRINT_H_

#include <fmt/format.h>

#include <concepts>
#include <cstdio>
#include <memory>
#include <ostream>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

#include "runtime/record/bytes.h"
#include "runtime/task/sink.h"

namespace penstock::print {

template <class T>
concept Streamable = requires(std::ostream& stream, const T& value) {
  stream << value;
};
template <class T>
concept Printable = std::is_same_v<T, Bytes> || fmt::is_formattable<T>::value || Streamable<T>;

struct Sink {
  std::string prefix;     // before the subtask
  FILE* stream = stdout;  // must stay open as long as the job

  absl::Status Validate() const {
    return stream != nullptr ? absl::OkStatus() : absl::InvalidArgumentError("print sink: .stream is null");
  }
  std::string Describe() const { return "print"; }
  Delivery DeliveryGuarantee() const { return Delivery::at_least_once; }

  template <Printable T>
  std::unique_ptr<SinkWriter<T>> CreateWriter() const {
    return std::make_unique<Writer<T>>(*this);
  }

 private:
  template <class T>
  class Writer final : public SinkWriter<T> {
   public:
    explicit Writer(const Sink& sink) : prefix_(sink.prefix), stream_(sink.stream) {}

    absl::Status Open(Context& context) override {
      start_ = fmt::format("{}{}> ", prefix_, context.subtask());
      return absl::OkStatus();
    }
    absl::Status Write(const T& value, TimestampMs) override {
      line_ = start_;
      Append(value);
      line_ += '\n';
      // One call per line: lines of several subtasks do not mix.
      if (fwrite(line_.data(), 1, line_.size(), stream_) == line_.size()) return absl::OkStatus();
      return absl::UnavailableError("print sink: the output does not take more");
    }
    absl::Status Flush() override {
      return fflush(stream_) == 0 ? absl::OkStatus() : absl::UnavailableError("print sink: flushing the output failed");
    }
    void Close() override { fflush(stream_); }

   private:
    void Append(const T& value) {
      if constexpr (std::is_same_v<T, Bytes>) {
        line_ += value.view();
      } else if constexpr (fmt::is_formattable<T>::value) {
        fmt::format_to(std::back_inserter(line_), "{}", value);
      } else {
        std::ostringstream text;
        text << value;
        line_ += text.str();
      }
    }

    const std::string prefix_;
    FILE* const stream_;
    std::string start_;
    std::string line_;
  };
};

}  // namespace penstock::print

#endif  // PENSTOCK_CONNECTORS_PRINT_H_
