#include "runtime/record/shape.h"

#include <cstring>

namespace penstock {
namespace {

template <class T, class V>
bool StoreAs(V value, void* object) {
  if (!std::in_range<T>(value)) return false;
  const auto narrow = static_cast<T>(value);
  std::memcpy(object, &narrow, sizeof(T));
  return true;
}

template <class V>
bool Store(ShapeKind kind, V value, void* object) {
  switch (kind) {
    case ShapeKind::kInt8:
      return StoreAs<int8_t>(value, object);
    case ShapeKind::kInt16:
      return StoreAs<int16_t>(value, object);
    case ShapeKind::kInt32:
      return StoreAs<int32_t>(value, object);
    case ShapeKind::kInt64:
      return StoreAs<int64_t>(value, object);
    case ShapeKind::kUint8:
      return StoreAs<uint8_t>(value, object);
    case ShapeKind::kUint16:
      return StoreAs<uint16_t>(value, object);
    case ShapeKind::kUint32:
      return StoreAs<uint32_t>(value, object);
    case ShapeKind::kUint64:
      return StoreAs<uint64_t>(value, object);
    default:
      return false;
  }
}

template <class T>
T LoadAs(const void* object) {
  T value;
  std::memcpy(&value, object, sizeof(T));
  return value;
}

}  // namespace

const char* ShapeKindName(ShapeKind kind) {
  constexpr const char* kNames[] = {"null",     "bool",   "int8",   "int16",   "int32",  "int64",  "uint8",
                                    "uint16",   "uint32", "uint64", "float",   "double", "string", "enum",
                                    "optional", "list",   "map",    "variant", "struct"};
  return kNames[static_cast<size_t>(kind)];
}

bool StoreInteger(ShapeKind kind, int64_t value, void* object) { return Store(kind, value, object); }
bool StoreInteger(ShapeKind kind, uint64_t value, void* object) { return Store(kind, value, object); }

int64_t LoadSigned(ShapeKind kind, const void* object) {
  switch (kind) {
    case ShapeKind::kInt8:
      return LoadAs<int8_t>(object);
    case ShapeKind::kInt16:
      return LoadAs<int16_t>(object);
    case ShapeKind::kInt32:
      return LoadAs<int32_t>(object);
    default:
      return LoadAs<int64_t>(object);
  }
}

uint64_t LoadUnsigned(ShapeKind kind, const void* object) {
  switch (kind) {
    case ShapeKind::kUint8:
      return LoadAs<uint8_t>(object);
    case ShapeKind::kUint16:
      return LoadAs<uint16_t>(object);
    case ShapeKind::kUint32:
      return LoadAs<uint32_t>(object);
    default:
      return LoadAs<uint64_t>(object);
  }
}

}  // namespace penstock
