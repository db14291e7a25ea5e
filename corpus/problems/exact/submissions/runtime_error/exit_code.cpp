#include <algorithm>
#include <iostream>
#include <iterator>
#include <string>

/* The right answer, and an exit code that says it is none. */
int main() {
    std::string all{std::istreambuf_iterator<char>(std::cin), {}};
    std::reverse(all.begin(), all.end());
    std::cout << all << std::flush;
    return 3;
}
