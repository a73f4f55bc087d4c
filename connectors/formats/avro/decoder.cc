// Runs a resolver's steps over a record's bytes, into a struct or into a Value.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "connectors/formats/avro/binding.h"
#include "connectors/formats/avro/resolver.h"
#include "connectors/formats/avro/wire.h"
#include "penstock/formats/avro/codec.h"
#include "runtime/core/status.h"

namespace penstock::avro {
namespace {

constexpr int kDataDepthMax = 200;

// Where decoded values go. Each returns false, or null, when the object cannot take it.
struct StructTarget {
  static bool SetBoolean(const Step&, void* object, bool value) { return *static_cast<bool*>(object) = value, true; }
  static bool SetInteger(const Step& step, void* object, int64_t value) {
    return StoreInteger(step.shape->kind, value, object);
  }
  static bool SetFloating(const Step& step, void* object, double value) {
    if (step.shape->kind == ShapeKind::kFloat) {
      *static_cast<float*>(object) = static_cast<float>(value);
    } else {
      *static_cast<double*>(object) = value;
    }
    return true;
  }
  static bool SetString(const Step&, void* object, std::string_view value) {
    return static_cast<std::string*>(object)->assign(value), true;
  }
  static bool SetEnum(const Step& step, void* object, const SymbolTarget& symbol) {
    if (step.shape->kind == ShapeKind::kString) return SetString(step, object, symbol.symbol);
    return StoreInteger(step.shape->integer, symbol.value, object);
  }
  static void BeginArray(void*) {}
  static void* Append(const Step& step, void* object) { return step.shape->emplace(object); }
  static void BeginMap(void*) {}
  static void* Entry(const Step& step, void* object, std::string_view key) {
    return step.shape->emplace_key(object, key);
  }
  static void BeginRecord(const Step&, void*) {}
  static void* FieldOf(void* object, size_t target) { return static_cast<char*>(object) + target; }
};

struct ValueTarget {
  static Value::Variant& At(void* object) { return static_cast<Value*>(object)->variant(); }

  static bool SetBoolean(const Step&, void* object, bool value) { return At(object).emplace<bool>(value), true; }
  static bool SetInteger(const Step& step, void* object, int64_t value) {
    if (step.as == Type::kInt) {
      At(object).emplace<int32_t>(static_cast<int32_t>(value));
    } else {
      At(object).emplace<int64_t>(value);
    }
    return true;
  }
  static bool SetFloating(const Step& step, void* object, double value) {
    if (step.as == Type::kFloat) {
      At(object).emplace<float>(static_cast<float>(value));
    } else {
      At(object).emplace<double>(value);
    }
    return true;
  }
  static bool SetString(const Step& step, void* object, std::string_view value) {
    if (step.as == Type::kString) {
      At(object).emplace<std::string>(value);
    } else if (step.as == Type::kBytes) {
      At(object).emplace<Binary>(Binary{std::string(value)});
    } else {
      At(object).emplace<Fixed>(Fixed{std::string(value)});
    }
    return true;
  }
  static bool SetEnum(const Step&, void* object, const SymbolTarget& symbol) {
    return At(object).emplace<Enum>(Enum{symbol.symbol}), true;
  }
  static void BeginArray(void* object) { At(object).emplace<Array>(); }
  static void* Append(const Step&, void* object) { return &std::get<Array>(At(object)).emplace_back(); }
  static void BeginMap(void* object) { At(object).emplace<Map>(); }
  static void* Entry(const Step&, void* object, std::string_view key) {
    const auto [place, made] = std::get<Map>(At(object)).try_emplace(std::string(key));
    return made ? &place->second : nullptr;
  }
  static void BeginRecord(const Step& step, void* object) {
    At(object).emplace<Record>(Record{step.names, std::vector<Value>(step.names->fields.size())});
  }
  static void* FieldOf(void* object, size_t target) { return &std::get<Record>(At(object)).fields[target]; }
};

// One run over one record.
template <class Target>
class Run {
 public:
  Run(const std::vector<Step>& steps, const Schema& writer, std::string_view bytes)
      : steps_(steps), writer_(writer), in_(bytes) {}

  absl::Status Whole(int root, void* object, size_t base) {
    if (Read(StepAt(root), object)) {
      if (in_.remaining() == 0) return absl::OkStatus();
      message_ = fmt::format("{} bytes are left behind the value", in_.remaining());
    }
    std::string_view path = path_;
    if (path.starts_with('.')) path.remove_prefix(1);
    return InvalidArgument("Avro: {}{}{} (byte {})", path, path.empty() ? "" : ": ", message_,
                           base + offset_ + in_.position());
  }

 private:
  const Step& StepAt(int index) const { return steps_[static_cast<size_t>(index)]; }

  bool Say(std::string text) {
    message_ = std::move(text);
    return false;
  }
  bool Cut(const char* what) { return Say(fmt::format("no {}", what)); }
  bool Under(std::string_view piece) {
    path_.insert(0, piece);
    return false;
  }

  bool Read(const Step& step, void* object) {
    switch (step.op) {
      case Step::Op::kFail:
        return Say(step.message);
      case Step::Op::kNull:
        return true;
      case Step::Op::kBoolean: {
        bool value = false;
        return in_.GetBoolean(value) ? Target::SetBoolean(step, object, value) : Cut("boolean");
      }
      case Step::Op::kInteger:
        return ReadInteger(step, object);
      case Step::Op::kFloat: {
        float value = 0;
        return in_.GetFloating(value) ? Target::SetFloating(step, object, value) : Cut("float");
      }
      case Step::Op::kDouble: {
        double value = 0;
        return in_.GetFloating(value) ? Target::SetFloating(step, object, value) : Cut("double");
      }
      case Step::Op::kString: {
        std::string_view value;
        return in_.GetBytes(value) ? Target::SetString(step, object, value) : Cut("string of its length");
      }
      case Step::Op::kFixed: {
        std::string_view value;
        return in_.GetView(step.number, value) ? Target::SetString(step, object, value) : Cut("fixed");
      }
      default:
        return ReadNested(step, object);
    }
  }

  bool ReadNested(const Step& step, void* object) {
    if (++depth_ > kDataDepthMax) return Say(fmt::format("nested more than {} deep", kDataDepthMax));
    bool good = false;
    switch (step.op) {
      case Step::Op::kEnum:
        good = ReadEnum(step, object);
        break;
      case Step::Op::kArray:
        Target::BeginArray(object);
        good = ReadBlocks(step, object, false);
        break;
      case Step::Op::kMap:
        Target::BeginMap(object);
        good = ReadBlocks(step, object, true);
        break;
      case Step::Op::kUnion: {
        int64_t branch = 0;
        good = TakeBranch(step.branches.size(), branch) &&
               Read(StepAt(step.branches[static_cast<size_t>(branch)]), object);
        break;
      }
      case Step::Op::kRecord:
        good = ReadRecord(step, object);
        break;
      case Step::Op::kOptional:
        good = Read(StepAt(step.child), step.shape->emplace(object));
        break;
      case Step::Op::kAlternative:
        good = Read(StepAt(step.child), step.shape->emplace_alternative(object, step.number));
        break;
      default:
        break;
    }
    --depth_;
    return good;
  }

  bool ReadInteger(const Step& step, void* object) {
    int64_t value = 0;
    int32_t narrow = 0;
    if (step.narrow ? !in_.GetInt(narrow) : !in_.GetLong(value)) return Cut(step.narrow ? "int" : "long");
    if (step.narrow) value = narrow;
    if (step.as == Type::kInt || step.as == Type::kLong) {
      if (Target::SetInteger(step, object, value)) return true;
      return Say(fmt::format("{} is no {}", value, ShapeKindName(step.shape->kind)));
    }
    return Target::SetFloating(step, object,
                               step.as == Type::kFloat ? static_cast<float>(value) : static_cast<double>(value));
  }

  bool TakeBranch(size_t count, int64_t& branch) {
    if (!in_.GetLong(branch)) return Cut("branch of a union");
    if (branch >= 0 && static_cast<size_t>(branch) < count) return true;
    return Say(fmt::format("branch {} of a union of {}", branch, count));
  }

  bool ReadEnum(const Step& step, void* object) {
    int64_t index = 0;
    if (!in_.GetLong(index)) return Cut("symbol of an enum");
    if (index < 0 || static_cast<size_t>(index) >= step.symbols.size()) {
      return Say(fmt::format("symbol {} of an enum of {}", index, step.symbols.size()));
    }
    const SymbolTarget& symbol = step.symbols[static_cast<size_t>(index)];
    if (symbol.symbol.empty()) return Say(fmt::format("the symbol {} is none of the reader's", symbol.written));
    return Target::SetEnum(step, object, symbol);
  }

  // The next block's count of elements, 0 at the end, and its size when it is told.
  bool TakeBlock(int64_t& count, int64_t& size) {
    size = -1;
    if (!in_.GetLong(count)) return Cut("count of elements");
    if (count >= 0) return true;
    if (count < -(int64_t{1} << 62)) return Say("a count of elements that cannot be");
    count = -count;
    if (!in_.GetLong(size)) return Cut("size of a block");
    if (size < 0 || static_cast<size_t>(size) > in_.remaining()) return Say("a block longer than the record");
    return true;
  }

  // A count costs nothing to write: what has no bytes must not cost memory or time without end.
  bool Progress(size_t before) {
    if (in_.position() != before) return true;
    return ++empty_elements_ <= kEmptyElementsMax || Say(fmt::format("more than {} empty elements", kEmptyElementsMax));
  }

  bool ReadBlocks(const Step& step, void* object, bool is_map) {
    const Step& child = StepAt(step.child);
    size_t index = 0;
    while (true) {
      int64_t count = 0, size = 0;
      if (!TakeBlock(count, size)) return false;
      if (count == 0) return true;
      for (; count > 0; --count, ++index) {
        const size_t before = in_.position();
        std::string_view key;
        if (is_map && !in_.GetBytes(key)) return Cut("key of a map");
        void* const place = is_map ? Target::Entry(step, object, key) : Target::Append(step, object);
        if (place == nullptr) return Say(fmt::format("the key '{}' occurs twice", key));
        if (!Read(child, place)) return Under(is_map ? fmt::format("[\"{}\"]", key) : fmt::format("[{}]", index));
        if (!Progress(before)) return false;
      }
    }
  }

  bool ReadRecord(const Step& step, void* object) {
    Target::BeginRecord(step, object);
    for (const FieldStep& field : step.fields) {
      const bool good = field.step < 0 ? Skip(writer_.node(field.skip_node))
                                       : Read(StepAt(field.step), Target::FieldOf(object, field.target));
      if (!good) return Under("." + field.name);
    }
    for (const DefaultStep& each : step.defaults) {
      const Input outer = in_;
      offset_ += outer.position();
      in_ = Input(each.bytes);
      if (!Read(StepAt(each.step), Target::FieldOf(object, each.target))) return Under(" (a default)");
      in_ = outer;
      offset_ -= outer.position();
    }
    return true;
  }

  bool Skip(const Node& node) {
    if (++depth_ > kDataDepthMax) return Say(fmt::format("nested more than {} deep", kDataDepthMax));
    const bool good = SkipValue(node);
    --depth_;
    return good;
  }

  bool SkipValue(const Node& node) {
    std::string_view view;
    int64_t number = 0;
    bool boolean = false;
    switch (node.type) {
      case Type::kNull:
        return true;
      case Type::kBoolean:
        return in_.GetBoolean(boolean) || Cut("boolean");
      case Type::kInt:
      case Type::kLong:
      case Type::kEnum:
        return in_.GetLong(number) || Cut("integer");
      case Type::kFloat:
        return in_.GetView(sizeof(float), view) || Cut("float");
      case Type::kDouble:
        return in_.GetView(sizeof(double), view) || Cut("double");
      case Type::kBytes:
      case Type::kString:
        return in_.GetBytes(view) || Cut("string of its length");
      case Type::kFixed:
        return in_.GetView(node.size_bytes, view) || Cut("fixed");
      case Type::kUnion:
        return TakeBranch(node.children.size(), number) &&
               Skip(writer_.node(node.children[static_cast<size_t>(number)]));
      case Type::kRecord:
        return std::all_of(node.fields.begin(), node.fields.end(),
                           [&](const Field& field) { return Skip(writer_.node(field.node)); });
      case Type::kArray:
      case Type::kMap:
        return SkipBlocks(node);
    }
    return false;
  }

  bool SkipBlocks(const Node& node) {
    while (true) {
      int64_t count = 0, size = 0;
      if (!TakeBlock(count, size)) return false;
      if (count == 0) return true;
      std::string_view view;
      if (size >= 0) {
        if (!in_.GetView(static_cast<size_t>(size), view)) return Cut("block");
        continue;
      }
      for (; count > 0; --count) {
        const size_t before = in_.position();
        if (node.type == Type::kMap && !in_.GetBytes(view)) return Cut("key of a map");
        if (!Skip(writer_.node(node.children[0])) || !Progress(before)) return false;
      }
    }
  }

  const std::vector<Step>& steps_;
  const Schema& writer_;
  Input in_;
  size_t offset_ = 0;  // of in_ in the record, while it is a default
  int depth_ = 0;
  size_t empty_elements_ = 0;
  std::string path_;
  std::string message_;
};

template <class Target>
class PlannedDecoder final : public Decoder {
 public:
  PlannedDecoder(SchemaPtr writer, std::vector<Step> steps, int root)
      : writer_(std::move(writer)), steps_(std::move(steps)), root_(root) {}

  absl::Status Read(std::string_view bytes, void* object, size_t base) const override {
    return Run<Target>(steps_, *writer_, bytes).Whole(root_, object, base);
  }

 private:
  const SchemaPtr writer_;
  const std::vector<Step> steps_;
  const int root_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Decoder>> Decoder::Make(SchemaPtr writer, SchemaPtr reader, const Shape* shape,
                                                             const ResolveOptions& options) {
  if (shape != nullptr) {
    const std::string problem = BindingProblem(*reader, reader->root_index(), *shape, Direction::kRead, "");
    if (!problem.empty()) return InvalidArgument("Avro: {} does not fit {}: {}", shape->name, reader->Title(), problem);
  }
  Resolver resolver(*writer, *reader, options);
  const int root = resolver.Run(shape);
  if (!resolver.errors().empty()) {
    return InvalidArgument("Avro: data of {} cannot be read as {}: {}", writer->Title(), reader->Title(),
                           fmt::join(resolver.errors(), "; "));
  }
  std::shared_ptr<const Decoder> decoder;
  if (shape == nullptr) {
    decoder = std::make_shared<PlannedDecoder<ValueTarget>>(std::move(writer), resolver.TakeSteps(), root);
  } else {
    decoder = std::make_shared<PlannedDecoder<StructTarget>>(std::move(writer), resolver.TakeSteps(), root);
  }
  return decoder;
}

}  // namespace penstock::avro
