#include "engram/server/http_server.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <optional>
#include <string_view>
#include <utility>

namespace engram::server {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using Response = http::response<http::string_body>;

constexpr size_t kHeaderBytesMax = size_t{8} << 10;

Response Refusal(http::status status, std::string_view text) {
  Response response(status, 11);
  response.set(http::field::content_type, "text/plain; charset=utf-8");
  response.set(http::field::cache_control, "no-store");
  response.body() = text;
  return response;
}

http::status StatusOfParseError(const beast::error_code& error) {
  return error == http::error::header_limit || error == http::error::buffer_overflow
             ? http::status::request_header_fields_too_large
             : http::status::bad_request;
}

// The end of a connection, or of its time: there is nobody to answer.
bool IsParseError(const beast::error_code& error) {
  return error.category() == make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

}  // namespace

// One connection: reads a request, answers, and again. Held by its own operation under way.
class HttpServer::Session : public std::enable_shared_from_this<HttpServer::Session> {
 public:
  Session(HttpServer& server, net::internal::Socket socket)
      : server_(server), stream_(std::move(socket)), buffer_(2 * kHeaderBytesMax) {
    ++server_.connections_;
  }
  ~Session() { --server_.connections_; }

  void Read() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax);
    stream_.expires_after(server_.options_.request_limit);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const beast::error_code& error, size_t) {
                       if (!error) return self->Answer();
                       if (IsParseError(error)) self->Refuse(StatusOfParseError(error));
                     });
  }

 private:
  void Answer() {
    const auto& request = parser_->get();
    const bool head = request.method() == http::verb::head;
    Response response = head || request.method() == http::verb::get
                            ? MakeResponse(request.target())
                            : Refusal(http::status::method_not_allowed, "only GET and HEAD\n");
    if (response.result() == http::status::method_not_allowed) {
      response.set(http::field::allow, "GET, HEAD");
    }
    Write(std::move(response), request.keep_alive(), head);
  }

  Response MakeResponse(beast::string_view target) {
    const std::string_view path(target.data(), std::min(target.find('?'), target.size()));
    auto page = server_.pages_.find(path);
    if (page == server_.pages_.end()) return Refusal(http::status::not_found, server_.PagesText());
    Page made = page->second();
    Response response(http::status::ok, 11);
    response.set(http::field::content_type, made.content_type);
    response.set(http::field::cache_control, "no-store");
    response.body() = std::move(made.body);
    return response;
  }

  void Refuse(http::status status) {
    Write(Refusal(status, "not a request that is understood here\n"), false, false);
  }

  void Write(Response response, bool keep_alive, bool head) {
    response_ = std::move(response);
    response_.keep_alive(keep_alive);
    response_.prepare_payload();
    if (head) response_.body().clear();
    http::async_write(stream_, response_,
                      [self = shared_from_this(), keep_alive](const beast::error_code& e, size_t) {
                        if (e) return;
                        if (keep_alive) return self->Read();
                        beast::error_code ignored;
                        self->stream_.socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send,
                                                        ignored);
                      });
  }

  HttpServer& server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  Response response_;
};

HttpServer::HttpServer(HttpServerOptions options)
    : options_(std::move(options)),
      acceptor_(std::make_shared<net::internal::Acceptor>(
          loops_, [this](size_t, net::internal::Socket socket) {
            if (connections_ >= options_.connections_max) return;  // closes it
            std::make_shared<Session>(*this, std::move(socket))->Read();
          })) {}

HttpServer::~HttpServer() { Stop(); }

std::string HttpServer::PagesText() const {
  std::string text = "no such page; there is:";
  for (const auto& [path, make] : pages_) text += " " + path;
  return text + "\n";
}

void HttpServer::AddPage(std::string path, MakePage make) {
  pages_.insert_or_assign(std::move(path), std::move(make));
}

absl::Status HttpServer::Start() {
  if (absl::Status status = acceptor_->Listen(options_.host, options_.port); !status.ok()) {
    return status;
  }
  acceptor_->Accept();
  loops_.Start();
  return absl::OkStatus();
}

void HttpServer::Stop() {
  loops_.Stop();
  // The thread has ended: this one may do what it did.
  acceptor_->Close();
}

}  // namespace engram::server
