// A client of an Engram cluster. Any node answers for any space, so the client needs only addresses
// of some nodes: it asks the first, and the next when one cannot be reached.
//
// Thread-safety: all methods from any thread; each blocks until its answer or deadline. Owns one
// event loop and its thread.
//
// Retries are safe: every write carries a request id that the client fixes once, so a write that is
// sent again (to the same or another node) has one effect. An error is an absl::Status with an
// ErrorDetail (base/error.h); ConnectionFailed means that no node was reached.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "engram/base/time.h"
#include "engram/base/ulid.h"
#include "engram/routing/ack.h"
#include "engram/routing/decision.h"
#include "engram/v1/cluster.pb.h"
#include "engram/v1/memory.pb.h"
#include "engram/v1/spaces.pb.h"

namespace engram::client {

// TLS to the nodes. All files are PEM; when they change, connections that begin from then on use
// the new ones.
struct ClientTls {
  std::string ca_file;  // who may have signed the nodes' certificates; empty: the system's CAs
  // One's own certificate and key, for nodes that ask for one (mutual TLS).
  std::string certificate_file;
  std::string key_file;
  std::string expected_name;  // in the nodes' certificates; empty: the host that is dialled
};

// Which holder of a space answers a Get, Recall or RecallMany that the asked node does not
// (routing/decision.h).
using routing::ParseReadPreference;
using routing::ReadPreference;
// When a write is acknowledged (routing/ack.h).
using routing::Ack;

struct ClientOptions {
  std::vector<std::string> nodes = {"127.0.0.1:50051"};  // host:port, in the order to try
  Duration timeout = std::chrono::seconds(10);           // of one call, all nodes together
  Duration connect_timeout = std::chrono::seconds(2);
  std::optional<ClientTls> tls = std::nullopt;  // none: plain HTTP/2
  // Of every read; none: as the asked node is configured.
  std::optional<ReadPreference> read_preference = std::nullopt;
  // Of every write; none: as the asked node is configured.
  std::optional<Ack> ack = std::nullopt;
  // Reads see what this client has written and read before, whichever holder answers: it remembers
  // the newest version that it has met in each space (of 10,000 spaces).
  bool session = true;
};

// An answer and how it came about.
template <class Message>
struct Answer {
  Message message;
  std::string served_by;  // node id
  bool degraded = false;  // given without contact to the rest of the cluster
  // Of a read: what the holder that answered had, as base/session_token.h; empty if it did not say.
  std::string session;
  std::vector<v1::Attempt> route;  // with Explain::kYes
};

// The tries that an entry node made before it gave up, as a failed call's status carries them;
// empty if it made none.
std::vector<v1::Attempt> AttemptsOf(const absl::Status& status);

// A node was there, but could not be spoken with: it may want TLS and the client not, or the other
// way round, or one refuses the other's certificate. Of statuses of ConnectionFailed.
bool MayDisagreeOnTls(const absl::Status& status);

// Nobody answered: no node was reached, or none that was said anything in time. Such errors are
// made by the client, others by a node.
bool NobodyAnswered(const absl::Status& status);

enum class Explain : uint8_t { kNo, kYes };

// A new one, from the clock and the system's random numbers.
RequestId NewRequestId();

// How to ask, beside what.
struct Ask {
  Ask() = default;
  Ask(Explain e) : explain(e) {}  // NOLINT(google-explicit-constructor): most say no more

  Explain explain = Explain::kNo;  // whether the answer shall tell its route
  // Of a write: under which it has its one effect. Zero: a new one. To send a write again whose end
  // is not known, give it the id that it had.
  RequestId request_id = {};
  // Of a read: a token of what another reader or writer has seen of its space, or for several
  // spaces, as metadata `engram-session` takes it. Empty: what this client has.
  std::string session = {};
};

class Client {
 public:
  // InvalidArgument if `nodes` is empty or holds no host:port, or files of `tls` cannot be used;
  // the fields are then "tls-ca", "tls-cert" and "tls-key".
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);
  ~Client();

  absl::StatusOr<Answer<v1::StoreResponse>> Store(const v1::StoreRequest& request,
                                                  const Ask& ask = {});
  absl::StatusOr<Answer<v1::RecallResponse>> Recall(const v1::RecallRequest& request,
                                                    const Ask& ask = {});
  // Over several spaces; the answer's coverage names those that are missing in it.
  absl::StatusOr<Answer<v1::RecallResponse>> RecallMany(const v1::RecallManyRequest& request,
                                                        const Ask& ask = {});
  absl::StatusOr<Answer<v1::GetResponse>> Get(const v1::GetRequest& request, const Ask& ask = {});
  absl::StatusOr<Answer<v1::ForgetResponse>> Forget(const v1::ForgetRequest& request,
                                                    const Ask& ask = {});
  absl::StatusOr<Answer<v1::LinkResponse>> Link(const v1::LinkRequest& request,
                                                const Ask& ask = {});

  // Stores all, in one stream; later requests of one id win. Lines in the answer count from 1 in
  // `requests`. Some hundred at a time is good: the whole batch is sent again if a node fails in
  // the middle.
  absl::StatusOr<Answer<v1::StoreStreamResponse>> StoreAll(
      const std::vector<v1::StoreRequest>& requests);

  // Consolidates a space at a node that holds it: at the one that is asked, else at one of the
  // holders that it names, whose address must be one that this client reaches. `on_part` is called
  // with each group and at last, before an error too, with the totals; on another thread, while
  // this one waits; and again from the beginning if a node fails in the middle.
  using OnPart = absl::FunctionRef<void(const v1::ConsolidateResponse&)>;
  absl::StatusOr<Answer<v1::ConsolidateTotals>> Consolidate(const v1::ConsolidateRequest& request,
                                                            OnPart on_part, const Ask& ask = {});

  absl::StatusOr<Answer<v1::ListSpacesResponse>> ListSpaces(const v1::ListSpacesRequest& request);
  absl::StatusOr<Answer<v1::ListNodesResponse>> ListNodes(const v1::ListNodesRequest& request);
  absl::StatusOr<Answer<v1::GetStatusResponse>> GetStatus(const v1::GetStatusRequest& request);
  absl::StatusOr<Answer<v1::ResolveRouteResponse>> ResolveRoute(
      const v1::ResolveRouteRequest& request);
  absl::StatusOr<Answer<v1::RemoveNodeResponse>> RemoveNode(const v1::RemoveNodeRequest& request);
  absl::StatusOr<Answer<v1::MoveSpaceResponse>> MoveSpace(const v1::MoveSpaceRequest& request);

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace engram::client
