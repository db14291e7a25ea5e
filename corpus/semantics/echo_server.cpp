// @benign echo_server.cpp
// @what a TCP server on loopback with a thread per client and 10 clients at once; each gets its own lines back; non-blocking accept with poll
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=10 clients, 10000 lines echoed, none mixed up
#include <arpa/inet.h>
#include <atomic>
#include <fcntl.h>
#include <iostream>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

int main()
{
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof at;
    auto *address = reinterpret_cast<sockaddr *>(&at);
    int server = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (server < 0 || bind(server, address, len) || listen(server, 16) || getsockname(server, address, &len)) {
        perror("server");
        return 1;
    }
    std::atomic<int> right{0}, served{0};
    std::vector<std::thread> threads;
    for (int id = 0; id < 10; id++)
        threads.emplace_back([&, id] {
            int c = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(c, address, len)) return;
            for (int i = 0; i < 1000; i++) {
                std::string line = std::to_string(id) + ":" + std::to_string(i) + "\n", back;
                if (write(c, line.data(), line.size()) < 0) break;
                for (char ch = 0; ch != '\n' && read(c, &ch, 1) == 1;) back += ch;
                right += back == line;
            }
            close(c);
        });
    while (served < 10) {
        pollfd p{server, POLLIN, 0};
        if (poll(&p, 1, 5000) != 1) return 2;
        int peer = accept4(server, nullptr, nullptr, SOCK_CLOEXEC);
        if (peer < 0) continue;
        served++;
        threads.emplace_back([peer] {
            char b[256];
            for (ssize_t n; (n = read(peer, b, sizeof b)) > 0;) if (write(peer, b, n) != n) break;
            close(peer);
        });
    }
    for (auto &t : threads) t.join();
    std::cout << served << " clients, " << right << " lines echoed, " << (right == 10000 ? "none" : "some")
        << " mixed up\n";
}
