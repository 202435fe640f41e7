#include "engram/memory/engine.h"

#include "engram/base/error.h"
#include "engram/memory/engine_impl.h"
#include "engram/memory/identity.h"

namespace engram::memory {

absl::StatusOr<std::unique_ptr<Engine>> Engine::Open(EngineOptions options) {
  if (options.wall_clock == nullptr) {
    return MakeError(ErrorCode::kInternal, "EngineOptions::wall_clock is not set");
  }
  auto database = storage::Database::Open({.dir = options.dir});
  if (!database.ok()) return database.status();
  absl::Status ours =
      ClaimOrCheckIdentity(**database, options.dir, {options.cluster_id, options.node_id});
  if (!ours.ok()) return ours;
  auto engine = std::make_unique<EngineImpl>(std::move(options), *std::move(database));
  absl::Status loaded = engine->LoadSpaces();
  if (!loaded.ok()) return loaded;
  return engine;
}

}  // namespace engram::memory
