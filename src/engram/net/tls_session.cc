#include "engram/net/tls_session.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstring>
#include <utility>

#include "engram/net/tls_bio.h"

namespace engram::net::internal {
namespace {

using Protocol = std::array<unsigned char, 3>;
constexpr Protocol kH2 = {2, 'h', '2'};

int SelectH2(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
             unsigned int offered_size, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kH2.data(), kH2.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

bool SpeaksH2(const SSL* session) {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(session, &name, &size);
  return size == 2 && name[0] == 'h' && name[1] == '2';
}

bool IsAddress(const std::string& name) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
  ASN1_OCTET_STRING_free(address);
  return address != nullptr;
}

}  // namespace

std::string TakeTlsError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  if (ERR_SYSTEM_ERROR(code)) return std::string(strerror(ERR_GET_REASON(code)));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("error {:#x}", code);
}

void UseAlpn(ssl_ctx_st* context, TlsContext::Side side) {
  if (side == TlsContext::Side::kServer) {
    SSL_CTX_set_alpn_select_cb(context, SelectH2, nullptr);
  } else {
    SSL_CTX_set_alpn_protos(context, kH2.data(), kH2.size());
  }
}

TlsSession::TlsSession(TlsContext& context, int socket, const std::string& host, TimePoint now)
    : side_(context.side()), session_(context.NewSession(now), SSL_free) {
  if (session_ == nullptr) {
    Fail("out of memory");
    return;
  }
  BIO* bio = NewSocketBio(socket);
  SSL_set_bio(session_.get(), bio, bio);
  if (side_ == TlsContext::Side::kServer) {
    SSL_set_accept_state(session_.get());
  } else {
    SSL_set_connect_state(session_.get());
    const std::string& expected = context.options().expected_name;
    Expect(expected.empty() ? host : expected);
  }
}

void TlsSession::Expect(const std::string& name) {
  SSL* session = session_.get();
  SSL_set_hostflags(session,
                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const bool set = IsAddress(name)
                       ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), name.c_str()) == 1
                       // To OpenSSL no name means any, and a leading dot all names below.
                       : !name.empty() && name[0] != '.' &&
                             SSL_set_tlsext_host_name(session, name.c_str()) == 1 &&
                             SSL_set1_host(session, name.c_str()) == 1;
  if (!set) Fail(fmt::format("\"{}\" is no name that a certificate can be for", name));
}

IoResult TlsSession::Read(uint8_t* out, size_t size) {
  if (failed_) return {IoResult::State::kFailed};
  ERR_clear_error();
  size_t bytes = 0;
  const int done = SSL_read_ex(session_.get(), out, size, &bytes);
  return Judge(done, bytes);
}

IoResult TlsSession::Write(std::string_view bytes) {
  if (failed_) return {IoResult::State::kFailed};
  ERR_clear_error();
  size_t written = 0;
  const int done = SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &written);
  return Judge(done, written);
}

IoResult TlsSession::Judge(int done, size_t bytes) {
  if (!established_ && SSL_is_init_finished(session_.get()) != 0) {
    established_ = true;
    if (!SpeaksH2(session_.get())) return Fail("the peer does not offer HTTP/2 (ALPN h2)");
  }
  if (done == 1) return {IoResult::State::kDone, bytes};
  switch (SSL_get_error(session_.get(), done)) {
    case SSL_ERROR_WANT_READ:
      return {IoResult::State::kWantsReadable};
    case SSL_ERROR_WANT_WRITE:
      return {IoResult::State::kWantsWritable};
    case SSL_ERROR_ZERO_RETURN:
      return {IoResult::State::kEnd};
    default:
      return Fail(DescribeFailure());
  }
}

std::string TlsSession::DescribeFailure() const {
  const long verdict = SSL_get_verify_result(session_.get());
  if (verdict != X509_V_OK) {
    return fmt::format("the peer's certificate is refused: {}",
                       X509_verify_cert_error_string(verdict));
  }
  if (ERR_peek_error() == 0) return "the peer closed the connection";
  return fmt::format("TLS: {}", TakeTlsError());
}

IoResult TlsSession::Fail(std::string reason) {
  ERR_clear_error();
  failed_ = true;
  failure_ = std::move(reason);
  return {IoResult::State::kFailed};
}

bool TlsSession::HasBuffered() const { return !failed_ && SSL_has_pending(session_.get()) != 0; }

void TlsSession::Shutdown() {
  if (failed_ || !established_) return;
  ERR_clear_error();
  SSL_shutdown(session_.get());
  ERR_clear_error();
}

}  // namespace engram::net::internal
