#include "engram/net/header_block.h"

#include "engram/net/metadata_wire.h"

namespace engram::net::internal {

void HeaderBlock::AddMetadata(const Metadata& metadata) {
  for (const MetadataEntry& entry : metadata.entries()) {
    if (IsBinaryHeader(entry.name)) {
      AddOwned(entry.name, EncodeBinary(entry.value));
    } else {
      AddOnce(entry.name, entry.value);
    }
  }
}

}  // namespace engram::net::internal
