// Where a text stops being UTF-8.
#ifndef PENSTOCK_CONNECTORS_FORMATS_UTF8_H_
#define PENSTOCK_CONNECTORS_FORMATS_UTF8_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace penstock::formats {

// The bytes of the character that begins there: 1 to 4; 0: none does (overlong forms, surrogates and what lies beyond
// U+10FFFF are none). REQUIRES: at < text.size().
size_t Utf8CharacterBytes(std::string_view text, size_t at);

// The offset of the first byte that belongs to no character; text.size() when all do.
size_t FirstBadUtf8(std::string_view text);

}  // namespace penstock::formats

#endif  // PENSTOCK_CONNECTORS_FORMATS_UTF8_H_
