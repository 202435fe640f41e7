// TLS for servers and channels: which certificates, whom to trust. 1.2 and up, modern suites only,
// ALPN "h2".
//
// A TlsContext is made once and shared by all connections of a server or channel; thread-safe. It
// follows its files: when one has changed, the connections that begin from then on use the new ones
// (looked at no more than once a second, and only when a connection begins). Files that do not fit
// together, such as a certificate that was replaced a moment before its key, are left aside until
// they do; the former ones stay in use.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/base/mutex.h"
#include "engram/base/time.h"

struct ssl_ctx_st;
struct ssl_st;

namespace engram::net {

// All files are PEM.
struct TlsOptions {
  // One's own certificate, followed by those between it and the CA, and its key without a
  // passphrase. Servers need both; channels when the server asks for a certificate.
  std::string certificate_file;
  std::string key_file;
  // The CAs that may have signed the peer's certificate. Channel: empty means the system's. Server:
  // empty means that no client is asked for a certificate; otherwise each must have one (mutual
  // TLS).
  std::string ca_file;
  // What errors call ca_file: the key or flag by which it was given.
  std::string ca_key = "tls-ca";
  // Channel: the name or IP address that the server's certificate must be for; empty: the host that
  // is dialled.
  std::string expected_name;
  // Told of each change of the files: OK, or why they cannot be used. Any thread; must not block.
  std::function<void(const absl::Status&)> on_reload;
};

class TlsContext {
 public:
  enum class Side : uint8_t { kServer, kChannel };

  // Errors name "tls-cert", "tls-key" or TlsOptions::ca_key, the file and the reason.
  static absl::StatusOr<std::shared_ptr<TlsContext>> Create(Side side, TlsOptions options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  Side side() const { return side_; }
  const TlsOptions& options() const { return options_; }

  // For net/ itself: a session that begins now; the caller owns it. Null: out of memory.
  ssl_st* NewSession(TimePoint now);

 private:
  struct Files;  // what they were like when they were last read
  using ContextPtr = std::unique_ptr<ssl_ctx_st, void (*)(ssl_ctx_st*)>;

  TlsContext(Side side, TlsOptions options);
  absl::StatusOr<ContextPtr> Load() const;
  void ReloadIfChanged(TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Side side_;
  const TlsOptions options_;
  Mutex mutex_;
  ContextPtr context_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Files> files_ ABSL_GUARDED_BY(mutex_);
  TimePoint checked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::net
