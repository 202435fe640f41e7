// Between the wire's messages and the engine's plain values. Pure; thread-safe.
//
// Checks only what the engine cannot see (fields it does not know, numbers out of an enum); the
// engine checks the rest.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/memory/types.h"
#include "engram/placement/assignment.h"
#include "engram/routing/call_plan.h"
#include "engram/v1/common.pb.h"
#include "engram/v1/memory.pb.h"
#include "engram/v1/spaces.pb.h"

namespace engram::server {

// --- requests
// ------------------------------------------------------------------------------------------------------

// InvalidArgument if the message, or one inside it, carries a field that this version does not
// know: a misspelt or newer option must not be dropped silently (SPEC §8).
[[nodiscard]] absl::Status CheckKnownFields(const google::protobuf::Message& message);

absl::StatusOr<memory::StoreCommand> ToCommand(v1::StoreRequest request,
                                               memory::WriteIdentity identity,
                                               memory::CreateSpace create);
absl::StatusOr<memory::RecallQuery> ToQuery(v1::RecallRequest request);
memory::ForgetCommand ToCommand(v1::ForgetRequest request, memory::WriteIdentity identity);
memory::LinkCommand ToCommand(const v1::LinkRequest& request, memory::WriteIdentity identity);

// --- replies
// -------------------------------------------------------------------------------------------------------

v1::StoreResponse ToStoreResponse(const SpaceId& space, const memory::WriteResult& result);
v1::ForgetResponse ToForgetResponse(const SpaceId& space, const memory::WriteResult& result);
v1::GetResponse ToGetResponse(memory::Memory memory);
v1::RecallResponse ToRecallResponse(memory::RecallResult result);
v1::RecallResult ToProto(memory::RecallHit hit);
v1::Why ToProto(const memory::Why& why);

// --- routing
// -------------------------------------------------------------------------------------------------------

v1::Version ToProto(const Version& version);
Version FromProto(const v1::Version& version);
// The bytes of ToProto(version), which every forwarded call carries, without the message.
std::string EncodeVersion(const Version& version);
// Appends a field of bytes to a serialized message, which spares copying them into the message.
// kFieldOverhead: what that takes at most beyond the bytes.
inline constexpr size_t kFieldOverhead = 16;
void AppendField(int field, std::string_view bytes, std::string& message);
v1::Assignment ToProto(const placement::Assignment& assignment);
placement::Assignment FromProto(const v1::Assignment& assignment);
// Nothing if the bytes are not a v1::Assignment.
std::optional<placement::Assignment> DecodeAssignment(std::string_view bytes);
// A WrongNode error's assignment, inside the status (net/grpc_status.h carries it over the wire).
void AttachAssignment(const placement::Assignment& assignment, absl::Status& status);
std::optional<placement::Assignment> AttachedAssignment(const absl::Status& status);

v1::RouteTrace ToProto(std::span<const routing::AttemptRecord> attempts);
// The last of them, inside an error; it must fit into a header.
void AttachAttempts(std::span<const routing::AttemptRecord> attempts, absl::Status& status);

}  // namespace engram::server
