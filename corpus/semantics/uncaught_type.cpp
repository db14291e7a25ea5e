// @benign uncaught_type.cpp
// @what an uncaught exception of the program's own type: its demangled name on stderr, SIGABRT, what was flushed is kept
// @limits cpu=5 wall=10
// @expect signal=SIGABRT
// @expect out=paying
// @expect stderr=terminate called after throwing an instance of 'bank::Overdraft<int>'
#include <iostream>
#include <stdexcept>

namespace bank {
template <class T> struct Overdraft : std::runtime_error {
    explicit Overdraft(T by) : std::runtime_error("overdrawn by " + std::to_string(by)) {}
};
}

int main()
{
    std::cout << "paying" << std::endl;
    throw bank::Overdraft<int>(70);
}
