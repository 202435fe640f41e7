#include "engram/net/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <array>
#include <string_view>
#include <tuple>
#include <utility>

#include "engram/base/error.h"
#include "engram/net/event_loop.h"
#include "engram/net/tls_session.h"

namespace engram::net {
namespace {

constexpr Duration kCheckInterval = std::chrono::seconds(1);
// What TLS 1.2 has that is still good; the suites of 1.3 all are. HTTP/2 forbids the others.
constexpr char kSuites12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

absl::Status CannotUse(std::string_view field, const std::string& file) {
  return InvalidArgument(
      field, fmt::format("{}: cannot use {}: {}", field, file, internal::TakeTlsError()));
}

// OpenSSL would ask on the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

absl::Status UseCertificate(SSL_CTX* context, const TlsOptions& options) {
  const std::string& certificate = options.certificate_file;
  const std::string& key = options.key_file;
  if (certificate.empty() != key.empty()) {
    return InvalidArgument(certificate.empty() ? "tls-cert" : "tls-key",
                           "tls-cert and tls-key must be given together");
  }
  if (certificate.empty()) return absl::OkStatus();
  SSL_CTX_set_default_passwd_cb(context, NoPassphrase);
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return CannotUse("tls-cert", certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return CannotUse("tls-key", key);
  }
  return absl::OkStatus();
}

absl::Status TrustPeers(SSL_CTX* context, TlsContext::Side side, const TlsOptions& options) {
  const std::string& ca = options.ca_file;
  if (ca.empty()) {
    if (side == TlsContext::Side::kServer) return absl::OkStatus();
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_file(context, ca.c_str()) != 1) {
    return CannotUse(options.ca_key, ca);
  } else if (side == TlsContext::Side::kServer) {
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(ca.c_str()));
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return absl::OkStatus();
}

void SetRules(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, kSuites12);
  // Connections live long and each peer is verified anew: no resumption, hence no tickets.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  // An idle connection keeps no buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
}

}  // namespace

struct TlsContext::Files {
  using Stamp = std::tuple<ino_t, off_t, time_t, long>;

  explicit Files(const TlsOptions& options)
      : stamps{Of(options.certificate_file), Of(options.key_file), Of(options.ca_file)} {}

  static Stamp Of(const std::string& file) {
    struct stat s {};
    if (::stat(file.c_str(), &s) != 0) return {};
    return {s.st_ino, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec};
  }
  bool operator==(const Files&) const = default;

  std::array<Stamp, 3> stamps;
};

TlsContext::TlsContext(Side side, TlsOptions options)
    : side_(side), options_(std::move(options)), context_(nullptr, SSL_CTX_free) {}

TlsContext::~TlsContext() = default;

absl::StatusOr<std::shared_ptr<TlsContext>> TlsContext::Create(Side side, TlsOptions options) {
  if (side == Side::kServer && options.certificate_file.empty()) {
    return InvalidArgument("tls-cert", "a server of TLS needs tls-cert and tls-key");
  }
  std::shared_ptr<TlsContext> made(new TlsContext(side, std::move(options)));
  const WriterLock lock(&made->mutex_);
  made->files_ = std::make_unique<Files>(made->options_);
  made->checked_ = EventLoop::Now();
  absl::StatusOr<ContextPtr> context = made->Load();
  if (!context.ok()) return context.status();
  made->context_ = *std::move(context);
  return made;
}

absl::StatusOr<TlsContext::ContextPtr> TlsContext::Load() const {
  ERR_clear_error();
  ContextPtr context(SSL_CTX_new(TLS_method()), SSL_CTX_free);
  if (context == nullptr) return MakeError(ErrorCode::kInternal, internal::TakeTlsError());
  SetRules(context.get());
  internal::UseAlpn(context.get(), side_);
  if (absl::Status status = UseCertificate(context.get(), options_); !status.ok()) return status;
  if (absl::Status status = TrustPeers(context.get(), side_, options_); !status.ok()) {
    return status;
  }
  return context;
}

void TlsContext::ReloadIfChanged(TimePoint now) {
  if (now - checked_ < kCheckInterval) return;
  checked_ = now;
  Files files(options_);
  if (files == *files_) return;
  *files_ = files;  // also when they are bad: they are looked at again when they change again
  absl::StatusOr<ContextPtr> context = Load();
  if (options_.on_reload) options_.on_reload(context.status());
  if (context.ok()) context_ = *std::move(context);
}

ssl_st* TlsContext::NewSession(TimePoint now) {
  const WriterLock lock(&mutex_);
  ReloadIfChanged(now);
  return SSL_new(context_.get());  // holds the context as long as it lives
}

}  // namespace engram::net
