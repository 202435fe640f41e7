// Reading Engram's own request metadata.
#pragma once

#include "absl/status/statusor.h"
#include "engram/base/ulid.h"
#include "engram/memory/types.h"
#include "engram/net/metadata.h"
#include "engram/server/node_context.h"

namespace engram::server {

// The client's request id, or a new one; InvalidArgument if it is no ULID.
absl::StatusOr<RequestId> RequestIdFrom(const net::Metadata& metadata, LoopState& loop);

// The identity that a forwarding node set. `is_write` requires it.
absl::StatusOr<memory::WriteIdentity> IdentityFrom(const net::Metadata& metadata, bool is_write);

// The client's deadline, but not later than the node's own limit.
TimePoint OperationDeadline(TimePoint client, Duration limit, TimePoint now);

}  // namespace engram::server
