#include <algorithm>
#include <cctype>
#include <iostream>
#include <string>

int main(int argc, char **argv) {
    std::string text = std::string("Hello, ") + argv[1] + "!";
    if (argc > 2) std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
    std::cout << text << '\n';
}
