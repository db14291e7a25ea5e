#include "count.hpp"

#include <iostream>

int main() {
    for (const auto &[word, times] : count(std::cin)) std::cout << word << ' ' << times << '\n';
}
