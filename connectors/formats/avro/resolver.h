// The plan by which data of one schema is read as another's: one step per pair of types, compiled once.
#ifndef PENSTOCK_CONNECTORS_FORMATS_AVRO_RESOLVER_H_
#define PENSTOCK_CONNECTORS_FORMATS_AVRO_RESOLVER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "penstock/formats/avro/codec.h"
#include "penstock/formats/avro/value.h"

namespace penstock::avro {

struct FieldStep {
  std::string name;   // for messages
  int step = -1;      // -1: the reader has no use for it, and skip_node says how it is passed over
  int skip_node = 0;  // of the writer's schema
  size_t target = 0;  // offset in the struct; index in a generic record
};

struct DefaultStep {
  std::string bytes;  // as the reader's type encodes it
  int step = 0;       // reads the reader's type as itself
  size_t target = 0;
};

struct SymbolTarget {
  std::string symbol;  // of the reader's enum; empty: the reader has none for it
  std::string written;
  int64_t value = 0;  // of a C++ enumeration
};

struct Step {
  // What the writer wrote; kFail: nothing of it can be read; kOptional and kAlternative: of the struct, around a child.
  enum class Op : uint8_t {
    kFail,
    kNull,
    kBoolean,
    kInteger,
    kFloat,
    kDouble,
    kString,
    kFixed,
    kEnum,
    kArray,
    kMap,
    kUnion,
    kRecord,
    kOptional,
    kAlternative,
  };
  Op op = Op::kFail;
  Type as = Type::kNull;              // the reader's type
  bool narrow = false;                // kInteger: an int
  const Shape* shape = nullptr;       // of the object; nullptr: a Value
  int child = 0;                      // of array, map, kOptional, kAlternative
  size_t number = 0;                  // fixed: its size; kAlternative: which
  std::vector<int> branches;          // kUnion: by the writer's branch
  std::vector<SymbolTarget> symbols;  // by the writer's symbol
  std::vector<FieldStep> fields;      // in the writer's order
  std::vector<DefaultStep> defaults;
  std::shared_ptr<const RecordNames> names;  // of a generic record
  std::string message;                       // kFail
};

// Compiles steps. One use.
class Resolver {
 public:
  Resolver(const Schema& writer, const Schema& reader, const ResolveOptions& options)
      : writer_(writer), reader_(reader), options_(options) {}

  // The step for the schemas' roots.
  int Run(const Shape* shape) { return Resolve(writer_.root_index(), reader_.root_index(), shape); }

  std::vector<Step> TakeSteps() { return std::move(steps_); }
  // What stops all data, and what stops some.
  const std::vector<std::string>& errors() const { return errors_; }
  const std::vector<std::string>& risks() const { return risks_; }

 private:
  class Place;

  int Resolve(int writer, int reader, const Shape* shape);
  void Fill(Step& step, int writer, int reader, const Shape* shape);
  void FillUnion(Step& step, const Node& writer, int reader, const Shape* shape);
  void FillReaderUnion(Step& step, int writer, int reader, const Shape* shape);
  void FillWrapped(Step& step, int writer, int reader, const Shape* shape);
  void FillPrimitive(Step& step, const Node& writer, const Node& reader);
  void FillNamed(Step& step, const Node& writer, const Node& reader);
  void FillEnum(Step& step, const Node& writer, const Node& reader);
  void FillRecord(Step& step, const Node& writer, const Node& reader, const Shape* shape);
  void FillDefaults(Step& step, const Node& reader, const std::vector<bool>& read, const Shape* shape);
  int BranchFor(const Node& writer, const Node& reader) const;
  bool NamesMatch(const Node& writer, const Node& reader) const;
  void Fail(Step& step, std::string message);
  int Add(Step step);

  const Schema& writer_;
  const Schema& reader_;
  const ResolveOptions options_;
  std::vector<Step> steps_;
  std::map<std::tuple<const void*, int, int, const Shape*>, int> known_;
  const Schema* from_ = &writer_;  // the reader itself while a default is resolved
  std::string path_;
  int maybe_ = 0;  // inside of what not all data has
  std::vector<std::string> errors_;
  std::vector<std::string> risks_;
};

}  // namespace penstock::avro

#endif  // PENSTOCK_CONNECTORS_FORMATS_AVRO_RESOLVER_H_
