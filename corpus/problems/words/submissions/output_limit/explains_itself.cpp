#include <iostream>

int main() {
    for (;;) std::cout << "Counting, please wait until I am done with it\n";
}
