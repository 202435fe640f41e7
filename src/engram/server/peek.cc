#include "engram/server/peek.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

namespace engram::server {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

std::optional<std::string_view> PeekString(std::string_view message, int number) {
  const uint32_t wanted =
      WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()),
                      static_cast<int>(message.size()));
  std::string_view value;
  while (uint32_t tag = in.ReadTag()) {
    if (tag != wanted) {
      if (WireFormatLite::GetTagFieldNumber(tag) == 0 || !WireFormatLite::SkipField(&in, tag)) {
        return std::nullopt;
      }
      continue;
    }
    uint32_t size = 0;
    if (!in.ReadVarint32(&size)) return std::nullopt;
    size_t start = static_cast<size_t>(in.CurrentPosition());
    if (size > message.size() - start || !in.Skip(static_cast<int>(size))) return std::nullopt;
    value = message.substr(start, size);
  }
  if (!in.ConsumedEntireMessage()) return std::nullopt;
  return value;
}

}  // namespace engram::server
