// Between the messages of MemoryService.Consolidate, the engine's plan of a consolidation, and the
// ordinary writes that carry it out. Pure; thread-safe.
#pragma once

#include "engram/memory/consolidation_plan.h"
#include "engram/v1/memory.pb.h"

namespace engram::server {

// Without the times, which are no matter of the request.
memory::ConsolidationQuery ToQuery(const v1::ConsolidateRequest& request);

// The requests of a client that would write the same.
v1::StoreRequest ToRequest(memory::StoreCommand command);
v1::ForgetRequest ToRequest(const memory::ForgetCommand& command);

// What is said of a group before anything is written: as if all went well.
v1::ConsolidatedGroup ToProto(const memory::ConsolidationStep& step);

// Counts the group among the totals.
void Count(const v1::ConsolidatedGroup& group, v1::ConsolidateTotals& totals);

}  // namespace engram::server
