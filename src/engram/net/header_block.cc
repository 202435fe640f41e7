#include "engram/net/header_block.h"

#include "engram/net/metadata_wire.h"

namespace engram::net::internal {

void HeaderBlock::AddMetadata(const Metadata& metadata) {
  for (const MetadataEntry& entry : metadata.entries()) {
    if (IsBinaryHeader(entry.name)) {
      AddOwned(entry.name, EncodeBinary(entry.value));
    } else if (entry.recurrence == Recurrence::kRepeated) {
      Push(entry.name, entry.value, NGHTTP2_NV_FLAG_NONE);
    } else {
      AddOnce(entry.name, entry.value);
    }
  }
}

}  // namespace engram::net::internal
