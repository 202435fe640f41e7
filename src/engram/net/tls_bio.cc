#include "engram/net/tls_bio.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

namespace engram::net::internal {
namespace {

int SocketOf(BIO* bio) { return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio))); }

bool IsTemporary(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

int WriteSocket(BIO* bio, const char* data, size_t size, size_t* written) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::send(SocketOf(bio), data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  *written = n > 0 ? static_cast<size_t>(n) : 0;
  if (n < 0 && IsTemporary(errno)) BIO_set_retry_write(bio);
  return n > 0 ? 1 : -1;
}

int ReadSocket(BIO* bio, char* out, size_t size, size_t* read) {
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::recv(SocketOf(bio), out, size, MSG_DONTWAIT);
  *read = n > 0 ? static_cast<size_t>(n) : 0;
  if (n == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  if (n < 0 && IsTemporary(errno)) BIO_set_retry_read(bio);
  return n > 0 ? 1 : -1;
}

long Control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
    default:
      return 0;
  }
}

const BIO_METHOD* SocketMethod() {
  static const BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "engram socket");
    BIO_meth_set_write_ex(method, WriteSocket);
    BIO_meth_set_read_ex(method, ReadSocket);
    BIO_meth_set_ctrl(method, Control);
    return method;
  }();
  return kMethod;
}

}  // namespace

BIO* NewSocketBio(int socket) {
  BIO* bio = BIO_new(SocketMethod());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(socket)));
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace engram::net::internal
