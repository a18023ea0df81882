#include "daemon/client_set.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"

namespace shuntfs {
namespace {

constexpr std::chrono::seconds kClientTimeout{2};

// How often a stream is asked for more; how much its reader may fall behind before it is not; and
// after how long without a sign of life it is dropped.
constexpr std::chrono::milliseconds kStreamPause{50};
constexpr std::chrono::seconds kStreamPatience{30};
constexpr size_t kMaxUnread = size_t{256} << 10;

// How long new clients wait when no descriptor is free and none of our clients leaves.
constexpr std::chrono::seconds kListenerPause{1};

// Whether accept4(2) failed for want of something that the process or the machine runs out of. The
// connection then stays in the backlog and the listener stays readable.
bool IsShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

// Whether the peer has closed its socket. One that only will not send any more has not.
bool HasHungUp(int fd) {
  pollfd state{fd, 0, 0};
  return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ClientSet>> ClientSet::Create(UniqueFd listener,
                                                             std::function<bool(int fd)> admits) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid())
    return absl::ResourceExhaustedError(absl::StrFormat("epoll: %s", std::strerror(errno)));
  std::unique_ptr<ClientSet> set(
      new ClientSet(std::move(listener), std::move(epoll), std::move(admits)));
  set->RefillReserve();
  set->WatchListener(true);
  return set;
}

std::optional<ClientSet::Clock::time_point> ClientSet::deadline() const {
  std::optional<Clock::time_point> nearest = listener_rests_until_;
  for (const Client& client : clients_) {
    if (client.stays) continue;
    if (!nearest || client.deadline < *nearest) nearest = client.deadline;
  }
  return nearest;
}

void ClientSet::WatchListener(bool watch) {
  if (watch == listener_watched_) return;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;  // Clients have their address here.
  epoll_ctl(epoll_.get(), watch ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, listener_.get(), &event);
  listener_watched_ = watch;
}

// An eventfd is a whole open file: to give it up also helps where the machine has no open file
// left, which a second descriptor of the same file would not.
void ClientSet::RefillReserve() {
  if (!reserve_.valid()) reserve_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

void ClientSet::Serve(const Protocol& protocol) {
  std::array<epoll_event, kMaxClients + 1> events;
  const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  size_t left = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    if (event.data.ptr == nullptr) {
      Accept();
      continue;
    }
    auto* client = static_cast<Client*>(event.data.ptr);
    const bool sends = (event.events & EPOLLOUT) != 0;
    if (!(sends ? Send(client) : Receive(client, protocol)))
      left += clients_.remove_if([client](const Client& each) { return &each == client; });
  }
  const Clock::time_point now = Clock::now();
  left += clients_.remove_if([this, now](Client& each) {
    if (each.stream) return !GoOn(&each, now);
    return !each.stays && each.deadline <= now;
  });
  RefillReserve();
  if (left > 0 || listener_rests_until_ <= now) listener_rests_until_.reset();
  WatchListener(clients_.size() < kMaxClients && !listener_rests_until_);
}

int ClientSet::AcceptOne() {
  const auto accept_next = [this] {
    return accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  };
  const int fd = accept_next();
  if (fd >= 0 || !IsShortage(errno) || !reserve_.valid()) return fd;
  reserve_.reset();
  return accept_next();
}

void ClientSet::Accept() {
  while (clients_.size() < kMaxClients) {
    UniqueFd fd(AcceptOne());
    if (!fd.valid()) {
      if (IsShortage(errno)) listener_rests_until_ = Clock::now() + kListenerPause;
      return;
    }
    if (!admits_(fd.get())) continue;
    Client& client = clients_.emplace_back();
    client.fd = std::move(fd);
    client.deadline = Clock::now() + kClientTimeout;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &client;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, client.fd.get(), &event) != 0) clients_.pop_back();
  }
}

bool ClientSet::Receive(Client* client, const Protocol& protocol) {
  std::array<char, 1024> buffer;
  const ssize_t count = recv(client->fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0) return WouldBlock(errno) || errno == EINTR;
  if (count == 0) return false;
  if (client->answered) return true;  // Of a client that stays nothing more is expected.
  client->received.append(buffer.data(), static_cast<size_t>(count));
  // What was asked is not done for someone who has given up: the daemon may have been stopped for
  // hours, and the command has told its user that it failed.
  if (HasHungUp(client->fd.get())) return false;
  std::optional<Answer> answer = protocol(client->received);
  if (!answer) return true;
  client->answer = std::move(answer->text);
  client->stays = answer->stays;
  client->stream = std::move(answer->stream);
  client->received.clear();
  client->answered = true;
  if (client->stream) client->deadline = Clock::now();
  return Send(client);
}

bool ClientSet::Send(Client* client) {
  size_t sent = 0;
  while (sent < client->answer.size()) {
    const ssize_t count = send(client->fd.get(), client->answer.data() + sent,
                               client->answer.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && !WouldBlock(errno)) return false;
    if (count < 0) break;
    sent += static_cast<size_t>(count);
  }
  client->answer.erase(0, sent);
  if (client->answer.empty() && !client->stays && !client->stream) return false;
  if (client->stream && client->answer.size() < kMaxUnread)
    client->deadline = std::min(client->deadline, Clock::now() + kStreamPause);
  epoll_event event{};
  event.events = client->answer.empty() ? EPOLLIN : EPOLLOUT;
  event.data.ptr = client;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client->fd.get(), &event) == 0;
}

bool ClientSet::GoOn(Client* client, Clock::time_point now) {
  if (client->deadline > now) return true;
  if (client->answer.size() >= kMaxUnread) return false;
  client->answer += client->stream->Take();
  client->deadline = now + kStreamPause;
  if (client->answer.empty()) return true;
  const bool alive = Send(client);
  if (client->answer.size() >= kMaxUnread) client->deadline = now + kStreamPatience;
  return alive;
}

}  // namespace shuntfs
