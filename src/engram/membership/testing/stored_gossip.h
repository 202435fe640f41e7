// Gossip with a store of its own, for tests.
#pragma once

#include "engram/membership/record_gossip.h"
#include "engram/membership/testing/map_record_store.h"

namespace engram::membership {

class StoredGossip : public MapRecordStore, public RecordGossip {
 public:
  explicit StoredGossip(const RecordGossipOptions& options = {})
      : RecordGossip(static_cast<MapRecordStore&>(*this), options) {}
  StoredGossip(const StoredGossip&) = delete;
  StoredGossip& operator=(const StoredGossip&) = delete;
};

}  // namespace engram::membership
