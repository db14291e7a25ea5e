// @benign thread_tools.cpp
// @what thread, mutex, condition_variable, shared_mutex, call_once, thread_local with destructors, atomics, sleep and timeouts
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=sum 50005000 inits 1 destroyed as made 1\nwoken 0 waited 1\ntwo readers 1 cores 1
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <iostream>
#include <mutex>
#include <queue>
#include <shared_mutex>
#include <thread>
#include <vector>
using namespace std::chrono_literals;

static std::atomic<int> made{0}, gone{0};
struct Tracked { Tracked() { made++; } ~Tracked() { gone++; } int n = 0; };
static thread_local Tracked tracked;

int main()
{
    std::mutex m;
    std::condition_variable filled;
    std::queue<int> queue;
    std::once_flag once;
    int inits = 0;
    std::atomic<long> sum{0};
    std::vector<std::thread> consumers;
    for (int i = 0; i < 6; i++)
        consumers.emplace_back([&] {
            std::call_once(once, [&] { inits++; });
            for (;;) {
                std::unique_lock<std::mutex> l(m);
                filled.wait(l, [&] { return !queue.empty(); });
                int x = queue.front();
                queue.pop();
                l.unlock();
                if (x < 0) return;
                tracked.n++;
                sum += x;
            }
        });
    for (int i = 1; i <= 10000; i++) { std::lock_guard<std::mutex> l(m); queue.push(i); filled.notify_one(); }
    for (int i = 0; i < 6; i++) { std::lock_guard<std::mutex> l(m); queue.push(-1); filled.notify_all(); }
    for (auto &t : consumers) t.join();
    std::cout << "sum " << sum << " inits " << inits << " destroyed as made " << (made == gone) << '\n';
    std::unique_lock<std::mutex> l(m);
    auto start = std::chrono::steady_clock::now();
    bool woken = filled.wait_for(l, 30ms, [] { return false; });
    std::cout << "woken " << woken << " waited " << (std::chrono::steady_clock::now() - start >= 30ms) << '\n';
    std::shared_mutex rw;
    std::shared_lock<std::shared_mutex> r1(rw), r2(rw, std::try_to_lock);
    std::cout << "two readers " << r2.owns_lock() << " cores " << (std::thread::hardware_concurrency() >= 1) << '\n';
}
