// @benign chrono_clocks.cpp
// @what clocks advance and sleeping takes at least its time and little CPU; durations convert; calendar time in zones by TZ; put_time and get_time
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=slept 1, CPU below 40 ms 1, steady 1\n120 1.5 1500 -1\nordered 1, after 2023 1\n2024-07-03 09:46:40 UTC\n2024-07-03 05:46:40 EDT, Wednesday 185\n1709269203 Fri Mar  1 00:00:03 2024 60
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <thread>
using namespace std::chrono;
using namespace std::chrono_literals;

int main()
{
    auto wall = steady_clock::now();
    std::clock_t cpu = std::clock();
    std::this_thread::sleep_for(50ms);
    auto slept = steady_clock::now() - wall;
    std::cout << "slept " << (slept >= 50ms && slept < 3s) << ", CPU below 40 ms "
        << (std::clock() - cpu < CLOCKS_PER_SEC / 25) << ", steady " << steady_clock::is_steady << '\n';
    std::cout << duration_cast<minutes>(2h + 59s).count() << ' ' << duration<double, std::ratio<3600>>(90min).count()
        << ' ' << (1500us).count() << ' ' << duration_cast<seconds>(-1500ms).count() << '\n';
    long previous = 0;
    bool ordered = true;
    for (int i = 0; i < 100000; i++) {
        long now = steady_clock::now().time_since_epoch().count();
        ordered &= now >= previous;
        previous = now;
    }
    std::cout << "ordered " << ordered << ", after 2023 "
        << (system_clock::now() > system_clock::from_time_t(1700000000)) << '\n';
    std::time_t t = 1720000000;
    std::cout << std::put_time(std::localtime(&t), "%F %T %Z") << '\n';
    setenv("TZ", "America/New_York", 1);
    tzset();
    std::cout << std::put_time(std::localtime(&t), "%F %T %Z, %A %j") << '\n';
    std::tm tm{};
    std::istringstream("29 Feb 2024 23:59:58") >> std::get_time(&tm, "%d %b %Y %T");
    tm.tm_sec += 5;
    tm.tm_isdst = -1;
    std::time_t made = std::mktime(&tm);
    std::cout << made << ' ' << std::put_time(&tm, "%c") << ' ' << tm.tm_yday << '\n';
}
