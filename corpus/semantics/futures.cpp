// @benign futures.cpp
// @what async, promise, packaged_task, shared_future; an exception crosses threads with its type; deferred work runs in the asker; a broken promise
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=sum 31996000\noverdraft 70\ndeferred in this thread 1\nshared 42\nbroken promise
#include <future>
#include <iostream>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

struct Overdraft : std::runtime_error {
    int amount;
    explicit Overdraft(int a) : std::runtime_error("overdraft"), amount(a) {}
};

int main()
{
    std::vector<std::future<long>> parts;
    for (long p = 0; p < 8; p++)
        parts.push_back(std::async(std::launch::async, [p] {
            std::vector<long> v(1000);
            std::iota(v.begin(), v.end(), p * 1000);
            return std::accumulate(v.begin(), v.end(), 0L);
        }));
    long sum = 0;
    for (auto &f : parts) sum += f.get();
    std::cout << "sum " << sum << '\n';
    auto failing = std::async(std::launch::async, []() -> int { throw Overdraft(70); });
    try {
        failing.get();
    } catch (const Overdraft &e) {
        std::cout << e.what() << ' ' << e.amount << '\n';
    }
    auto lazy = std::async(std::launch::deferred, [] { return std::this_thread::get_id(); });
    std::cout << "deferred in this thread " << (lazy.get() == std::this_thread::get_id()) << '\n';
    std::promise<int> p;
    std::shared_future<int> s = p.get_future().share();
    std::thread t([s, &p] { p.set_value(21); });
    std::cout << "shared " << s.get() + s.get() << '\n';
    t.join();
    std::future<int> broken;
    { std::packaged_task<int()> never([] { return 1; }); broken = never.get_future(); }
    try {
        broken.get();
    } catch (const std::future_error &e) {
        std::cout << (e.code() == std::future_errc::broken_promise ? "broken promise" : "?") << '\n';
    }
}
