#include <algorithm>
#include <iostream>
#include <iterator>
#include <string>

int main() {
    std::string all{std::istreambuf_iterator<char>(std::cin), {}};
    std::reverse(all.begin(), all.end());
    std::cout << all;
}
