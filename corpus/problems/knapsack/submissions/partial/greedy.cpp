#include <algorithm>
#include <iostream>
#include <vector>

/* The best value by weight first: right for some. */
int main() {
    int n, room;
    std::cin >> n >> room;
    std::vector<std::pair<double, std::pair<int, int>>> things(n);
    for (auto &[rate, thing] : things) {
        std::cin >> thing.first >> thing.second;
        rate = -static_cast<double>(thing.second) / thing.first;
    }
    std::sort(things.begin(), things.end());
    long long value = 0;
    for (const auto &[rate, thing] : things) {
        if (thing.first > room) continue;
        room -= thing.first;
        value += thing.second;
    }
    std::cout << value << '\n';
}
